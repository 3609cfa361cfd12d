# SPDX-License-Identifier: Apache-2.0
#
# Completion of weir's commands in fish, as `weir completion fish` prints it: weir says what may follow.
function __weir_complete
	set -l words (commandline -opc)
	set -l word (commandline -ct)
	set -l lines (command $words[1] completion fish -- $words "$word" 2>/dev/null)
	set -l head (string match -r -- '^--[^=]*=' "$word")
	set -l path (string replace -r -- '^--[^=]*=' '' "$word")
	switch "$lines[1]"
		case :files
			for found in (__fish_complete_path "$path")
				printf '%s%s\n' "$head" $found
			end
		case :dirs
			for found in (__fish_complete_directories "$path" '')
				printf '%s%s\n' "$head" $found
			end
		case '*'
			printf '%s\n' $lines
	end
end
complete -c weir -f -a '(__weir_complete)'
