/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/embedded.h - JSON texts that are files in the source and constants in the program.
 *
 * tools/embed-json.cmake makes a table of the files of a folder, in the order of their names. Plain ASCII, one
 * JSON value each, without line ends.
 */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

struct embedded_json {
	const char *name; /* of the file, without ".json" */
	const char *text;
};

#endif
