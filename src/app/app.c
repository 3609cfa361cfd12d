/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app.h"

#include "bench/bench.h"
#include "cli/cli.h"
#include "demo/demo.h"

static const struct cli_command commands[] = {
    {"serve", "run the server", app_serve},
    {"demo", "play a small shop of services into a server", demo_run},
    {"bench", "load a server and print what it cost", bench_run},
    {0},
};

int
app_main(int argc, char **argv)
{
	return cli_run(argc, argv, commands, WEIR_VERSION);
}
