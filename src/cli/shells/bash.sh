# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Completion of weir's commands in bash, as `weir completion bash` prints it: weir says what may follow.
_weir()
{
	local rest=${COMP_LINE:0:COMP_POINT} prefix='' trimmed word breaks line i
	local -a words=()
	COMPREPLY=()
	# Readline also splits words at = and :, and what it has split belongs together.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		trimmed=${rest#"${rest%%[![:blank:]]*}"}
		word=${COMP_WORDS[i]}
		((i < COMP_CWORD)) || word=$trimmed
		if ((i > 0)) && [[ $trimmed == "$rest" ]]; then
			words[${#words[@]} - 1]+=$word
		else
			words+=("$word")
		fi
		rest=${trimmed#"$word"}
	done
	breaks=${COMP_WORDBREAKS//[^=:]/}
	word=${words[${#words[@]} - 1]}
	[[ -z $breaks || $word != *["$breaks"]* ]] || prefix=${word%"${word##*["$breaks"]}"}
	word=${words[0]}
	[[ $word != \~/* ]] || word=$HOME/${word#*/}
	while IFS= read -r line; do
		case $line in
		:files) compopt -o default ;;
		:dirs) compopt -o dirnames ;;
		*)
			# A name from a server must not become a command.
			printf -v line %q "${line#"$prefix"}"
			COMPREPLY+=("$line")
			;;
		esac
	done < <("$word" completion bash -- "${words[@]}" 2>/dev/null)
}
complete -F _weir weir
