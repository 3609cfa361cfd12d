/* SPDX-License-Identifier: Apache-2.0 */
/* app/puller.h - what REST needs to take what is pulled (ingest/pull.h). */
#ifndef APP_PULLER_H
#define APP_PULLER_H

#include "rest/rest.h"

struct ingest;

/* The ingest is borrowed, until the server is freed. */
struct rest_puller app_puller(struct ingest *in);

#endif
