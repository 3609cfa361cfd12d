# SPDX-License-Identifier: Apache-2.0
#
# cmake -DTABLE=name -DHEADER=h -DOUT=file.c -P embed.cmake FILE...
#
# Writes a C file with a table of texts, `const struct embedded_text TABLE[]`: each file's name without its end, and
# what it holds, of JSON without line ends and indentation. Ends with a NULL name.
set(code "/* Made by tools/embed.cmake. */\n#include \"${HEADER}\"\n\n")
set(rows "")
set(first 0)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
	if(CMAKE_ARGV${i} STREQUAL "-P")
		math(EXPR first "${i} + 2")
	endif()
endforeach()
foreach(i RANGE ${first} ${last})
	set(file "${CMAKE_ARGV${i}}")
	get_filename_component(name "${file}" NAME_WE)
	file(READ "${file}" hex HEX)
	string(REGEX REPLACE "(..)" "\\1 " hex "${hex}")
	# A line's end and the tabs behind it: neither stands inside a string of JSON.
	if(file MATCHES "\\.json$")
		string(REGEX REPLACE "0a (09 )*" "" hex "${hex}")
	endif()
	string(REGEX REPLACE "(..) " "0x\\1," hex "${hex}")
	string(APPEND code "static const char text_${i}[] = {${hex}0};\n")
	string(APPEND rows "\t{\"${name}\", text_${i}},\n")
endforeach()
string(APPEND code "\nconst struct embedded_text ${TABLE}[] = {\n${rows}\t{0, 0},\n};\n")
file(WRITE "${OUT}" "${code}")
