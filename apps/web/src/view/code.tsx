// SPDX-License-Identifier: Apache-2.0
//
// A block of code: its language, a button that copies it, and a light colouring that knows no language in
// particular: comments, strings, numbers, and the words that most languages keep for themselves.

import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

const WORDS = new Set(
    (
        "abstract and as assert async await begin bool boolean break case catch char class const continue def default defer del delete do " +
        "double elif else elseif end enum except export extends false final finally float fn for foreach from func function " +
        "global goto if impl implements import in inline instanceof int interface is lambda let long loop match mod module " +
        "mut namespace new nil none nonlocal not null number object of operator or package pass private protected " +
        "protocol pub public raise register return self short signed sizeof static str string struct super switch " +
        "template then this throw throws trait true try type typedef typeof undefined union unless unsafe unsigned until " +
        "use using val var virtual void volatile when where while with yield"
    ).split(" "),
);

// One pass, leftmost first: comments, strings, numbers, words.
const COMMENTS = /(\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|--\s[^\n]*|<!--[\s\S]*?(?:-->|$))/;
const HASH_COMMENTS = /(#[^\n]*)/;
const REST = /("(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|`(?:\\.|[^`\\])*`?)|(\b\d[\w.]*\b)|([A-Za-z_$][\w$]*)/;
const HASH = /^(py|python|sh|bash|zsh|shell|console|rb|ruby|yaml|yml|toml|make|makefile|perl|r|dockerfile|ini)$/i;
const PLAIN = /^(text|txt|plain|md|markdown|output|log)$/i;
/** Longer code stays in one colour. */
const LONGEST = 20_000;

function coloured(text: string, language: string) {
    if (text.length > LONGEST || PLAIN.test(language)) return text;
    const out: ComponentChild[] = [];
    let at = 0;
    const comments = HASH.test(language) ? HASH_COMMENTS : COMMENTS;
    for (const found of text.matchAll(new RegExp(`${comments.source}|${REST.source}`, "g"))) {
        const [piece, comment, string, number, word] = found;
        const kind = comment ? "comment" : string ? "string" : number ? "number" : WORDS.has(word ?? "") ? "word" : "";
        if (!kind) continue;
        out.push(text.slice(at, found.index), <span class={`c-${kind}`}>{piece}</span>);
        at = found.index + piece.length;
    }
    out.push(text.slice(at));
    return out;
}

export function Code({ text, language }: { text: string; language: string }) {
    const [copied, setCopied] = useState(false);
    const name = language.trim().split(/\s/)[0]?.slice(0, 24) ?? "";
    const copy = async () => {
        await navigator.clipboard.writeText(text);
        setCopied(true);
        setTimeout(() => setCopied(false), 1600);
    };
    return (
        <figure class="code">
            <figcaption>
                <span>{name || "code"}</span>
                <button type="button" class="quiet small" onClick={copy} aria-label={copied ? "Copied" : "Copy code"}>
                    <Icon name={copied ? "check" : "copy"} />
                    <span>{copied ? "Copied" : "Copy"}</span>
                </button>
            </figcaption>
            <pre tabIndex={0}>
                <code>{coloured(text, name)}</code>
            </pre>
        </figure>
    );
}
