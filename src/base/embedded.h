/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/embedded.h - texts that are files in the source and constants in the program.
 *
 * tools/embed.cmake makes a table of the files of a folder, in the order of their names: *.json, plain ASCII, one JSON
 * value each, without line ends; and *.sh, as they are.
 */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

struct embedded_text {
	const char *name; /* of the file, without its end */
	const char *text;
};

#endif
