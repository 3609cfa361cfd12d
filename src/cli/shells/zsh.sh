#compdef weir
# SPDX-License-Identifier: Apache-2.0
#
# Completion of weir's commands in zsh, as `weir completion zsh` prints it: weir says what may follow.
_weir() {
	local program=${(Q)words[1]} line name head=
	local -a lines found
	[[ $program != \~/* ]] || program=$HOME/${program#*/}
	lines=("${(@f)$("$program" completion zsh -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
	if [[ $PREFIX == --*=* ]]; then
		head=${PREFIX%%=*}=
		compset -P '*='
	fi
	case $lines[1] in
	:files) _files ;;
	:dirs) _files -/ ;;
	*)
		for line in $lines; do
			name=${line%%$'\t'*}
			found+=("${${name#"$head"}//:/\\:}:${line#*$'\t'}")
		done
		_describe weir found
		;;
	esac
}
if [[ $funcstack[1] == _weir ]]; then
	_weir "$@"
else
	compdef _weir weir
fi
