/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer/transfer.h - `weir export`, `weir import` and `weir pull`: telemetry out of a server into files, out of files into
 * one, and out of another service into one.
 *
 * Export asks the API page by page for OTLP (Accept: application/x-protobuf) and writes what comes as JSON lines, as
 * protobuf messages with their length in front (4 bytes, most significant first, as the collector's file exporter does),
 * or as Parquet. Files get their names when they are whole.
 *
 * Import turns what it finds into OTLP requests and sends them to the OTLP/HTTP port of a server, weir's or another's. What
 * is sent twice is recognised there: spans by their ids, requests by their bytes. How far it is stands in a small file
 * below $XDG_STATE_HOME, so that an import that was interrupted goes on, and one that was done is not done again by mistake.
 *
 * Pull asks a service that keeps spans in a log (ReadSpans) for what comes next, and brings it to weir's API, which knows how far it
 * is: exactly once, whoever is killed when.
 *
 * All return an enum of cli/cli.h's exit codes: 0, 1 error, 2 usage, 4 some of it was refused. Main thread.
 */
#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

#include "base/usage.h"

extern const struct usage transfer_export_usage, transfer_import_usage, transfer_pull_usage;
/* argv[0] is the command's name. */
int transfer_export(int argc, char **argv);
int transfer_import(int argc, char **argv);
int transfer_pull(int argc, char **argv);

#endif
