# SPDX-License-Identifier: ISC
# Completion of unifork for bash. Verbs and options are read from --help, so that there is one list.

_unifork_words()
{
	COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

# The index of the first word that is no option and no option's value; nothing: there is none yet.
_unifork_operands()
{
	local i=2 valued
	valued=" $("$command" "$verb" --help 2>/dev/null |
		sed -nE 's/^ +(-[a-z]), (--[a-z-]+) [A-Z].*/\1 \2/p; s/^ +(--[a-z-]+) [A-Z].*/\1/p' |
		tr '\n' ' ') "
	for (( ; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) echo $((i + 1)); return ;;
		-*) [[ $valued == *" ${COMP_WORDS[i]} "* ]] && ((i++)) ;;
		*) echo "$i"; return ;;
		esac
	done
}

_unifork_families()
{
	local state=() i
	for ((i = 2; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == --state-dir ]] && state=(--state-dir "${COMP_WORDS[i + 1]}")
	done
	_unifork_words "$("$command" ps -q "$@" "${state[@]}" 2>/dev/null)"
}

_unifork()
{
	local command=$1 cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local verb=${COMP_WORDS[1]} operand

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_unifork_words "$("$command" --help 2>/dev/null | sed -nE 's/^  unifork ([a-z]+) .*/\1/p')"
		return
	fi
	operand=$(_unifork_operands)
	if [[ -n $operand && ($verb == run || $verb == exec) ]]; then
		compopt -o default 2>/dev/null # of the program
		return
	fi
	case $verb:$before in
	*:--state-dir | run:-r | run:--root) compopt -o dirnames 2>/dev/null; return ;;
	run:-b | run:--backend) _unifork_words "auto kvm process"; return ;;
	run:--net) _unifork_words "none host user ns:"; return ;;
	events:--format) _unifork_words "text json"; return ;;
	ps:--format | stats:--format) _unifork_words "table json"; return ;;
	kill:-s | kill:--signal) COMPREPLY=($(compgen -A signal -- "$cur")); return ;;
	esac
	if [[ $cur == -* ]]; then
		_unifork_words "$("$command" "$verb" --help 2>/dev/null | grep -oE '(^|[ ,])--?[a-z][a-z-]*' |
			tr -d ' ,' | sort -u)"
		return
	fi
	case $verb in
	exec | attach | events | top | stats | pause | unpause | stop | kill) _unifork_families ;;
	inspect | logs | wait | rm | port) _unifork_families -a ;;
	*) compopt -o default 2>/dev/null ;;
	esac
}

complete -F _unifork unifork
