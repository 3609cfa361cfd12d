# SPDX-License-Identifier: Apache-2.0
#
# usage: awk -f lint-text.awk FILE.[ch]...
#
# Checks what can be seen in the text of a C file: the SPDX line, the length of files and functions,
# calls that are banned, notes that something is left to do. Prints file:line: what is wrong.
#
# A function longer than the limit says why in a comment that begins with LONG: in or just above it.

BEGIN {
	c_lines_max = 1000
	h_lines_max = 250
	function_lines_max = 70
	columns_max = 100
	n = split("strcpy strcat strncat sprintf vsprintf gets atoi atol atoll atof alloca strtok system tmpnam mktemp assert", banned, " ")
	why["assert"] = "use CHECK(), which is always on"
	why["atoi"] = why["atol"] = why["atoll"] = why["atof"] = "it cannot report an error"
}

function complain(line, text) {
	printf "%s:%d: %s\n", FILENAME, line, text
	problems++
}

# The line without comments and with empty strings; keeps in_comment from line to line.
function code_of(line,    out, c, two, quote) {
	out = ""
	while (line != "") {
		two = substr(line, 1, 2)
		c = substr(line, 1, 1)
		if (in_comment) {
			if (two == "*/") {
				in_comment = 0
				line = substr(line, 3)
			} else
				line = substr(line, 2)
		} else if (quote != "") {
			if (c == "\\")
				line = substr(line, 3)
			else {
				if (c == quote) {
					quote = ""
					out = out c
				}
				line = substr(line, 2)
			}
		} else if (two == "/*") {
			in_comment = 1
			line = substr(line, 3)
		} else if (two == "//")
			line = ""
		else {
			if (c == "\"" || c == "'")
				quote = c
			out = out c
			line = substr(line, 2)
		}
	}
	return out
}

function check_calls(code,    i, padded) {
	padded = " " code
	for (i in banned)
		if (padded ~ ("[^A-Za-z0-9_]" banned[i] "[ \t]*\\("))
			complain(FNR, banned[i] "() is banned" (banned[i] in why ? ": " why[banned[i]] : ""))
	if (padded ~ /[^A-Za-z0-9_]time[ \t]*\([ \t]*(NULL|0)[ \t]*\)/)
		complain(FNR, "time(NULL) is banned: time is an argument, or comes from sys")
}

function check_file_end() {
	if (file == "")
		return
	if (!spdx)
		printf "%s:1: there is no SPDX-License-Identifier in the first lines\n", file
	if (lines > lines_max)
		printf "%s:%d: the file has %d lines, at most %d are allowed\n", file, lines_max + 1, lines, lines_max
	problems += !spdx + (lines > lines_max)
}

FNR == 1 {
	check_file_end()
	file = FILENAME
	spdx = in_comment = in_function = 0
	long_ok_line = -100
	lines_max = FILENAME ~ /\.h$/ ? h_lines_max : c_lines_max
}

{
	lines = FNR
	if (FNR <= 3 && /SPDX-License-Identifier: Apache-2\.0/)
		spdx = 1
	if (/LONG:/)
		long_ok_line = FNR
	if ($0 ~ /(^|[^A-Za-z0-9_])(TODO|FIXME|XXX|HACK)([^A-Za-z0-9_]|$)/)
		complain(FNR, "a note that something is left to do: do it, or say what is so without it")
	code = code_of($0)
	check_calls(code)
	if (code ~ /^[a-z_][A-Za-z0-9_]*\(/) {
		name = code
		sub(/\(.*/, "", name)
	}
	if (code ~ /^\{[ \t]*$/) {
		in_function = 1
		start = FNR
	} else if (in_function && code ~ /^\}/) {
		in_function = 0
		if (FNR - start - 1 > function_lines_max && long_ok_line < start - 5)
			complain(start, name "() has " (FNR - start - 1) " lines, at most " function_lines_max " are allowed (or a comment LONG: why)")
	}
}

END {
	check_file_end()
	exit problems > 0
}
