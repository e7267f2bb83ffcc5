// SPDX-License-Identifier: Apache-2.0
//
// A model's text as elements. marked says what is a heading, a list, a table; this file makes Preact nodes of
// that. No text of a model is ever parsed as HTML: tags are shown as the text they are, images as links that
// nobody follows unasked, and of addresses only http, https and mailto become links. There is nothing to
// sanitise because there is nothing that could run.
//
// While an answer streams, only its last part is read again: a text is cut where one block ends and another that
// has nothing to do with it begins, and parts that are as they were are left alone.

import { type Token, type Tokens, lexer } from "marked";
import { Component, type ComponentChild } from "preact";
import { Code } from "./code.tsx";

/** Longer parts are shown plain: some texts take marked a time that grows with the square of their length. */
const LONGEST = 8_000;
const LONGEST_CODE = 100_000;
/** Quotes and lists nested deeper than this are shown plain. */
const DEEPEST = 24;

export function Markdown({ text }: { text: string }) {
    return (
        <>
            {cut(text).map((part, i) => (
                <Part key={i} text={part} />
            ))}
        </>
    );
}

/** Cuts a text at blank lines outside code, before lines that begin a paragraph, a heading or code. */
function cut(text: string): string[] {
    const parts: string[] = [];
    let fence = "";
    let begin = 0;
    let blank = false;
    for (let at = 0; at < text.length;) {
        const end = text.indexOf("\n", at) + 1 || text.length;
        const line = text.slice(at, Math.min(end, at + 80));
        const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1] ?? "";
        if (blank && !fence && /^(?:[\p{L}\p{M}*_"“'(]|#{1,6} |`)/u.test(line) && !/^[*_+-] /.test(line)) {
            parts.push(text.slice(begin, at));
            begin = at;
        }
        if (fence) {
            if (mark.startsWith(fence) && /^ {0,3}[`~]+\s*$/.test(line)) fence = "";
        } else {
            fence = mark;
        }
        blank = !fence && line.trim() === "";
        at = end;
    }
    parts.push(text.slice(begin));
    return parts;
}

class Part extends Component<{ text: string }> {
    override shouldComponentUpdate(next: { text: string }) {
        return next.text !== this.props.text;
    }

    override render({ text }: { text: string }) {
        if (text.length > (/^(?:```|~~~)/.test(text) ? LONGEST_CODE : LONGEST)) return <p class="plain">{text}</p>;
        let tokens: Token[];
        try {
            tokens = lexer(text, { gfm: true, breaks: true });
        } catch {
            return <p class="plain">{text}</p>; // nested beyond what marked reads
        }
        return <>{blocks(tokens, 0)}</>;
    }
}

/** The address if it may become a link. */
function safe(address: string): string | undefined {
    try {
        const url = new URL(address);
        return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : undefined;
    } catch {
        return undefined;
    }
}

function link(address: string, children: ComponentChild) {
    const href = safe(address);
    if (href === undefined) return <span>{children}</span>;
    return (
        <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
            {children}
        </a>
    );
}

const NAMED: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

/** marked leaves character references as they are written. */
function plain(text: string): string {
    return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,5}));/g, (whole, decimal, hex, name) => {
        if (name !== undefined) return NAMED[name] ?? whole;
        const point = decimal !== undefined ? parseInt(decimal, 10) : parseInt(hex, 16);
        return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    });
}

function heading(token: Tokens.Heading, depth: number) {
    const children = inline(token.tokens, depth);
    // The page's own headings are h1 and h2.
    if (token.depth <= 1) return <h3>{children}</h3>;
    if (token.depth === 2) return <h4>{children}</h4>;
    return <h5>{children}</h5>;
}

function item(token: Tokens.ListItem, depth: number) {
    const tokens = token.tokens.filter((child) => child.type !== "checkbox");
    return (
        <li class={token.task ? "task" : undefined}>
            {token.task && (
                <input
                    type="checkbox"
                    checked={!!token.checked}
                    disabled
                    aria-label={token.checked ? "done" : "open"}
                />
            )}
            {blocks(tokens, depth + 1)}
        </li>
    );
}

function table(token: Tokens.Table, depth: number) {
    const align = (i: number) => token.align[i] ?? undefined;
    return (
        <div class="table" tabIndex={0} role="region" aria-label="Table">
            <table>
                <thead>
                    <tr>
                        {token.header.map((cell, i) => (
                            <th scope="col" data-align={align(i)}>
                                {inline(cell.tokens, depth)}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {token.rows.map((row) => (
                        <tr>
                            {row.map((cell, i) => (
                                <td data-align={align(i)}>{inline(cell.tokens, depth)}</td>
                            ))}
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function blocks(tokens: readonly Token[], depth: number): ComponentChild[] {
    return tokens.map((token) => block(token, depth));
}

function block(token: Token, depth: number): ComponentChild {
    if (depth > DEEPEST) return token.raw;
    switch (token.type) {
        case "space":
        case "def":
            return null;
        case "code":
            return <Code text={(token as Tokens.Code).text} language={(token as Tokens.Code).lang ?? ""} />;
        case "heading":
            return heading(token as Tokens.Heading, depth);
        case "hr":
            return <hr />;
        case "blockquote":
            return <blockquote>{blocks((token as Tokens.Blockquote).tokens, depth + 1)}</blockquote>;
        case "list": {
            const list = token as Tokens.List;
            const items = list.items.map((entry) => item(entry, depth));
            return list.ordered ? <ol start={Number(list.start) || 1}>{items}</ol> : <ul>{items}</ul>;
        }
        case "table":
            return table(token as Tokens.Table, depth);
        case "paragraph":
            return <p>{inline((token as Tokens.Paragraph).tokens, depth)}</p>;
        case "html":
            return <p class="plain">{token.raw.trimEnd()}</p>;
        default:
            // Texts of list items, and what stands inside lines.
            return span(token, depth);
    }
}

function inline(tokens: readonly Token[] | undefined, depth: number): ComponentChild[] {
    return (tokens ?? []).map((token) => span(token, depth));
}

function span(token: Token, depth: number): ComponentChild {
    if (depth > DEEPEST) return token.raw;
    switch (token.type) {
        case "strong":
            return <strong>{inline((token as Tokens.Strong).tokens, depth + 1)}</strong>;
        case "em":
            return <em>{inline((token as Tokens.Em).tokens, depth + 1)}</em>;
        case "del":
            return <del>{inline((token as Tokens.Del).tokens, depth + 1)}</del>;
        case "codespan":
            return <code>{(token as Tokens.Codespan).text}</code>;
        case "br":
            return <br />;
        case "link":
            return link((token as Tokens.Link).href, inline((token as Tokens.Link).tokens, depth + 1));
        case "image": {
            const image = token as Tokens.Image;
            return link(image.href, `[image: ${plain(image.text) || image.href}]`);
        }
        case "html":
            return /^<br\s*\/?>$/i.test(token.raw) ? <br /> : token.raw;
        case "text":
        case "escape": {
            const within = (token as Tokens.Text).tokens;
            return within ? inline(within, depth + 1) : plain((token as Tokens.Text).text);
        }
        default:
            return token.raw;
    }
}
