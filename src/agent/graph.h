/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/graph.h - the graph of a Junjo workflow, from the JSON text that its span carries (junjo_span.graph).
 *
 * Two versions of the text, one struct. Version 1 names nodes by "id", version 2 by "nodeRuntimeId", which is what the
 * node's span has as junjo_span.id; other members likewise (docs of github.com/mdrideout/junjo, "Execution Graph Snapshot
 * Contract"). A container is a node too: one that runs nodes in parallel has `children`, a subflow has where its own graph
 * begins and ends, and edges whose `subflow_id` is its id.
 *
 * The text is hostile: strict JSON, at most JUNJO_GRAPH_ITEMS_MAX nodes, as many edges, and as many ids in lists in all.
 * Unknown members are skipped, members of a wrong type are not there. A node without an id and an edge without its two
 * ends are errors; that ids are known and different is not checked. Members whose ptr is NULL are not there.
 *
 * Ownership. Lists are in the arena; texts point into the input or, where it has escapes, into the arena.
 * Errors. ERR_INVALID: it is no graph, and why; so is {"error","detail"}, which the SDK sends when it could not make one.
 * ERR_TOO_LARGE: more than the above, or the arena is spent.
 */
#ifndef AGENT_GRAPH_H
#define AGENT_GRAPH_H

#include "base/arena.h"
#include "base/err.h"

enum { JUNJO_GRAPH_ITEMS_MAX = 10000 };

struct junjo_node {
	struct str id; /* never empty */
	struct str structural_id, type, label; /* type: the class */
	bool is_concurrent, is_subflow;
	struct str *children; /* ids of the nodes that run in parallel */
	size_t child_count;
	struct str subflow_structural_id; /* of the subflow's graph: its span's structural_id */
	struct str subflow_source; /* id of the node that it begins with */
	struct str *sinks; /* ids of the nodes that it ends with */
	size_t sink_count;
};

struct junjo_edge {
	struct str id; /* version 2: the structural one */
	struct str source, target; /* ids of nodes, never empty */
	struct str condition; /* its label; ptr NULL: there is none */
	bool of_subflow; /* scope: it is within a subflow, else of the graph itself */
	struct str subflow_id; /* id of that subflow's node */
};

struct junjo_graph {
	int version; /* 1, 2 */
	struct str structural_id;
	struct junjo_node *nodes;
	size_t node_count;
	struct junjo_edge *edges;
	size_t edge_count;
};

MUST_CHECK enum err_code junjo_graph_read(struct str json, struct arena *arena,
    struct junjo_graph *out, struct err *err);

#endif
