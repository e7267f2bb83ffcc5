# SPDX-License-Identifier: Apache-2.0
#
# Completion of the mote command for bash. Commands and options are read from mote's own help, so that they
# are never out of date; models are the names of the catalogue and GGUF files.

_mote_help() { "${COMP_WORDS[0]}" help "$@" 2>/dev/null; }

_mote_models() { # the names in `mote list --json`
    "${COMP_WORDS[0]}" list --json 2>/dev/null | grep -o '"name": *"[^"]*"' | cut -d'"' -f4
}

_mote() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ] || { [ "$COMP_CWORD" = 2 ] && [ "$command" = help ]; }; then
        mapfile -t COMPREPLY < <(compgen -W "$(_mote_help | sed -n 's/^  \([a-z-]*\) .*/\1/p')" -- "$word")
        return
    fi
    case $previous in
        --cpu) mapfile -t COMPREPLY < <(compgen -W 'scalar avx2 avxvnni avx512 avx512vnni native' -- "$word"); return ;;
        --type) mapfile -t COMPREPLY < <(compgen -W 'F32 F16 Q8_0' -- "$word"); return ;;
        --pooling) mapfile -t COMPREPLY < <(compgen -W 'mean cls last none' -- "$word"); return ;;
        --format)
            mapfile -t COMPREPLY < <(compgen -W "jsonl $([ "$command" = embed ] && echo npy f32 || echo csv)" -- "$word")
            return ;;
        --kv) mapfile -t COMPREPLY < <(compgen -W 'f16 f32 q8_0 q4_0' -- "$word"); return ;;
        -f | --file | -o | --output | --ids | --dump | --tokenizer | --plot | --add | --dev)
            [ "$previous$command" = --idstokenize ] || {
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                return
            } ;;
        --draft | -m | --model)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -W "$(_mote_models)" -- "$word"; compgen -d -- "$word"; compgen -f -X '!*.gguf' -- "$word")
            return ;;
    esac
    case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W "$(_mote_help "$command" | grep -oE '(^|[ ,])--?[a-z0-9][a-z0-9-]*' | tr -d ' ,' | sort -u)" -- "$word") ;;
        *)
            compopt -o filenames
            mapfile -t COMPREPLY < <(
                case $command in
                    run | chat | pull | rm | embed | classify | rerank | info | tokenize | detokenize | perplexity | bench | train-head) compgen -W "$(_mote_models)" -- "$word" ;;
                esac
                compgen -d -- "$word"
                case $command in
                    convert) compgen -f -X '!*.bin' -- "$word" ;;
                    search) compgen -f -- "$word" ;;
                    embed | classify | rerank) if [ "$COMP_CWORD" = 2 ]; then compgen -f -X '!*.gguf' -- "$word"; else compgen -f -- "$word"; fi ;;
                    train-head) compgen -f -X '!*.gguf' -- "$word"; compgen -f -X '!*.[ct]sv' -- "$word" ;;
                    *) compgen -f -X '!*.gguf' -- "$word" ;;
                esac
            ) ;;
    esac
}
complete -F _mote mote
