/* SPDX-License-Identifier: Apache-2.0 */
/* weir: an OpenTelemetry backend. See ARCHITECTURE.md for a map of the source. */
#include "app/app.h"

int
main(int argc, char **argv)
{
	return app_main(argc, argv);
}
