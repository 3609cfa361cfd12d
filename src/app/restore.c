/* SPDX-License-Identifier: Apache-2.0 */
/* app/restore.c - `weir restore`: a backup becomes a data folder. No server is asked, and none may run on the folder. */
#include "app/app.h"

#include "backup/backup.h"
#include "duck/duck.h"
#include "sys/process.h"

#include <inttypes.h>
#include <stdio.h>

enum { EXIT_YES = 0, EXIT_ERROR = 1, EXIT_WRONG_USAGE = 2 };

static const struct usage_option options[] = {
    {.name = "data-dir", .value = "DIR", .help = "where it goes"},
    {.name = "check", .help = "verify it only, and write nothing"},
    {.name = ""},
};

const struct usage app_restore_usage = {.name = "restore",
    .help = "put a backup into a data folder",
    .arguments = "BACKUP",
    .argument = {.value = "DIR"},
    .about = "BACKUP is the folder of one backup. All of it is verified before anything is\n"
             "written. The data folder must be empty or not there; start weir with it\n"
             "afterwards. Keys are those of the moment of the backup. Run as root, the folder\n"
             "being there, the files are those of its owner, who then has to be able to read\n"
             "BACKUP.\n",
    .example = "weir restore /srv/backups/before-upgrade --data-dir /var/lib/weir",
    .options = options};

struct asked {
	const char *backup, *data_dir;
	bool check;
};

static enum err_code
parse(int argc, char **argv, struct asked *out, struct err *err)
{
	static const struct str flag = STR_INIT("--data-dir");
	*out = (struct asked){0};
	for (int i = 1; i < argc; i++) {
		struct str arg = str_from(argv[i]);
		if (str_eq(arg, STR("--check")))
			out->check = true;
		else if (str_eq(arg, flag) && i + 1 < argc)
			out->data_dir = argv[++i];
		else if (str_starts(arg, STR("--data-dir=")))
			out->data_dir = argv[i] + flag.len + 1;
		else if (str_starts(arg, STR("--")) && arg.len > 2 && !str_eq(arg, flag))
			return usage_unknown(&app_restore_usage,
			    str_of(arg.ptr + 2, str_find(str_skip(arg, 2), '=')), err);
		else if (arg.len == 0 || arg.ptr[0] == '-' || out->backup)
			return err_set(err, ERR_INVALID, "unexpected argument \"%s\"", argv[i]);
		else
			out->backup = argv[i];
	}
	if (!out->backup)
		return err_set(err, ERR_INVALID, "the folder of a backup is missing");
	if (!out->check && (!out->data_dir || !out->data_dir[0]))
		return err_set(err, ERR_INVALID, "--data-dir DIR is missing");
	if (out->check && out->data_dir)
		return err_set(err, ERR_INVALID, "--check writes nothing: leave out --data-dir");
	return ERR_OK;
}

static enum err_code
restore(const struct asked *asked, struct backup_info *info, struct err *err)
{
	process_keep_private();
	if (process_become_owner(asked->data_dir, err) != ERR_OK)
		return err->code;
	return backup_restore(str_from(asked->backup), str_from(asked->data_dir),
	    duck_schema_version(), info, err);
}

int
app_restore(int argc, char **argv)
{
	struct asked asked;
	struct backup_info info;
	struct err err = {0};
	if (parse(argc, argv, &asked, &err) != ERR_OK) {
		fprintf(stderr, "weir restore: %s; see `weir restore --help`\n", err.message);
		return EXIT_WRONG_USAGE;
	}
	enum err_code code = asked.check
	    ? backup_verify(str_from(asked.backup), duck_schema_version(), &info, &err)
	    : restore(&asked, &info, &err);
	if (code != ERR_OK) {
		fprintf(stderr, "weir restore: %s\n", err.message);
		return EXIT_ERROR;
	}
	if (asked.check)
		printf("%s is whole: %" PRIu64 " files, %" PRIu64 " bytes\n", asked.backup,
		    info.files, info.bytes);
	else
		printf("%s is in %s; start weir on it:\n\n    weir serve --data-dir %s\n",
		    asked.backup, asked.data_dir, asked.data_dir);
	return EXIT_YES;
}
