/* SPDX-License-Identifier: Apache-2.0 */
/* cli/analysis.h - what a terminal gets to see of analyses (analysis.c). */
#ifndef CLI_ANALYSIS_H
#define CLI_ANALYSIS_H

#include "cli/cli_priv.h"

/* An answer that is no list: of summary, of correlate. ERR_CORRUPT: it is none. */
MUST_CHECK enum err_code cli_draw_whole(struct buf *out, const struct op *op, json_t *answer,
    const struct cli_style *style, struct err *err);
extern const struct table_column cli_anomaly_columns[];

/* workflow_view.c: a run, two beside each other, the list. */
/* Below tables of calls, of sums over them, of runs: what "?" and "+" mean, if one is there; what was said, if it was asked for. */
void cli_note_prices(struct buf *out, const json_t *items, const struct cli_style *style);
void cli_below_calls(struct buf *out, const json_t *calls, const struct cli_style *style);
void cli_draw_workflow(struct buf *out, json_t *answer, const struct cli_style *style);
void cli_draw_comparison(struct buf *out, json_t *answer, const struct cli_style *style);
extern const struct table_column cli_workflow_columns[];

#endif
