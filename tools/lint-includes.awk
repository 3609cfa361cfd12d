# SPDX-License-Identifier: Apache-2.0
#
# usage: awk -f lint-includes.awk layers.txt headers.txt FILE.[ch]...   (paths from the root of the tree)
#
# Checks each #include: the arrow is in layers.txt, a header from outside is in headers.txt, a
# _priv.h is the module's own, ours are spelled from src/ in quotes, and a source's own header (or
# the private one of its module) comes first. Prints file:line: what is wrong.

function complain(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
	problems++
}

function read_table(table,    words, n, i) {
	n = split($0, words, /[ \t:]+/)
	known[table, words[1]] = 1
	for (i = 2; i <= n; i++)
		if (words[i] != "")
			list[table, words[1]] = list[table, words[1]] " " words[i]
}

# is `name` in the list of `module`, where * and dir/* are patterns?
function listed(table, module, name,    words, n, i, stem) {
	n = split(list[table, module], words, " ")
	for (i = 1; i <= n; i++) {
		stem = words[i]
		if (stem == "*" || stem == name)
			return 1
		if (stem ~ /\/\*$/ && index(name, substr(stem, 1, length(stem) - 1)) == 1)
			return 1
	}
	return 0
}

function outside(header) {
	if (module == "fuzz" || is_test || listed("headers", "all", header) || listed("headers", module, header))
		return
	complain("<" header "> is not for " module " (tools/headers.txt)")
}

function inside(header,    target) {
	if (header ~ /^tests\// || header == "test.h") {
		if (header !~ /^tests\/[a-z]+\.h$/)
			complain("\"" header "\": a header of the tests is spelled \"tests/...\"")
		else if (!is_test)
			complain("only *_test.c may include " header)
		return
	}
	if (header !~ /\// || header ~ /\.\./) {
		complain("\"" header "\" must be spelled from src/, as \"module/file.h\"")
		return
	}
	target = header
	sub(/\/.*/, "", target)
	if (target != module && header ~ /_priv\.h$/)
		complain("\"" header "\" is private to " target)
	else if (target == module || module == "fuzz" || listed("layers", module, target))
		return
	else if (is_test && target == "sys")
		return
	else
		complain(module " may not include " target " (tools/layers.txt)")
}

FNR == 1 {
	file_nr++
	first_include = 1
	module = FILENAME
	is_test = FILENAME ~ /_test\.c$/
	if (sub(/^src\//, "", module) && module ~ /\//)
		sub(/\/.*/, "", module)
	else if (FILENAME == "src/main.c")
		module = "main"
	else if (FILENAME ~ /^fuzz\//)
		module = "fuzz"
	if (file_nr > 2 && module != "fuzz" && !(("layers", module) in known))
		complain("the module " module " is not in tools/layers.txt")
	own = FILENAME
	sub(/^src\//, "", own)
	sub(/\.c$/, ".h", own)
	exists[FILENAME] = 1
}

file_nr <= 2 {
	sub(/#.*/, "")
	if ($0 !~ /^[ \t]*$/)
		read_table(file_nr == 1 ? "layers" : "headers")
	next
}

/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
	quoted = $0 ~ /include[ \t]*"/
	header = $0
	sub(/^[^<"]*[<"]/, "", header)
	sub(/[>"].*/, "", header)
	if (quoted)
		inside(header)
	else
		outside(header)
	if (first_include && FILENAME ~ /\.c$/ && header != own && header != module "/" module "_priv.h")
		not_first[FILENAME] = FNR " src/" own
	first_include = 0
}

END {
	for (file in not_first) {
		split(not_first[file], part, " ")
		if (part[2] in exists) {
			printf "%s:%d: its own header %s must be included first\n", file, part[1], part[2]
			problems++
		}
	}
	exit problems > 0
}
