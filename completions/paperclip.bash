_paperclip_completion() {
    # bash splits words at = and : too; these are put together again.
    local IFS=$'\n' line=$COMP_LINE words=() last=-1 follows= i cut reply replies=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if [[ $follows ]]; then
            words[last]+=${COMP_WORDS[i]}
        else
            words[++last]=${COMP_WORDS[i]}
        fi
        line=${line#*"${COMP_WORDS[i]}"}
        [[ -z $line || $line == [[:blank:]]* ]] && follows= || follows=1
    done
    local word=${COMP_WORDS[COMP_CWORD]}
    [[ $word == [:=] ]] && word=
    cut=${words[last]%"$word"}  # bash keeps this part of the word
    [[ $cut == --*=* ]] && cut=${cut#*=}

    mapfile -t replies < <(COMP_WORDS="${words[*]}" COMP_CWORD=$last \
        _PAPERCLIP_COMPLETE=complete_bash "$1")
    COMPREPLY=()
    for reply in "${replies[@]}"; do
        reply=${reply#"$cut"}
        if [[ $word != [\"\']* && $reply == *[^[:alnum:]_@%+=:,./~-]* ]]; then
            printf -v reply %q "$reply"
        fi
        [[ $reply ]] && COMPREPLY+=("$reply")
    done
}

complete -o default -F _paperclip_completion paperclip
