/* SPDX-License-Identifier: Apache-2.0 */
/* What DuckDB calls the kinds of columns, and where in a table's columns something stands. */
#include "duck/duck_priv.h"

duckdb_logical_type
duck_logical_type(enum col_kind kind)
{
	duckdb_type list_of = DUCKDB_TYPE_INVALID;
	switch (kind) {
	case COL_U64: return duckdb_create_logical_type(DUCKDB_TYPE_UBIGINT);
	case COL_I64: return duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
	case COL_U32: return duckdb_create_logical_type(DUCKDB_TYPE_UINTEGER);
	case COL_I32: return duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
	case COL_F64: return duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE);
	case COL_BOOL: return duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
	case COL_STR: return duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
	case COL_U64S: list_of = DUCKDB_TYPE_UBIGINT; break;
	case COL_F64S: list_of = DUCKDB_TYPE_DOUBLE; break;
	}
	duckdb_logical_type item = duckdb_create_logical_type(list_of);
	duckdb_logical_type list = duckdb_create_list_type(item);
	duckdb_destroy_logical_type(&item);
	return list;
}

int
duck_seq_col(enum table_id id)
{
	static const int cols[SIGNAL_TABLES] = {SPAN_SEQ, LOG_SEQ, POINT_SEQ, COMMENT_SEQ};
	CHECK(id < SIGNAL_TABLES);
	return cols[id];
}

int
duck_attributes_col(enum table_id id)
{
	static const int cols[SIGNAL_TABLES] = {
	    SPAN_ATTRIBUTES, LOG_ATTRIBUTES, POINT_ATTRIBUTES, [TABLE_COMMENTS] = -1};
	CHECK(id < SIGNAL_TABLES);
	return cols[id];
}

int
duck_trace_col(enum table_id id)
{
	static const int cols[SIGNAL_TABLES] = {
	    SPAN_TRACE_HI, LOG_TRACE_HI, [TABLE_POINTS] = -1, [TABLE_COMMENTS] = COMMENT_TRACE_HI};
	CHECK(id < SIGNAL_TABLES);
	return cols[id];
}

_Static_assert((int)SPAN_TRACE_LO == SPAN_TRACE_HI + 1, "trace_lo stands behind it");
_Static_assert((int)LOG_TRACE_LO == LOG_TRACE_HI + 1, "trace_lo stands behind it");
_Static_assert((int)COMMENT_TRACE_LO == COMMENT_TRACE_HI + 1, "trace_lo stands behind it");

bool
duck_has_services(enum table_id id)
{
	CHECK(id < SIGNAL_TABLES);
	return id != TABLE_COMMENTS;
}

int
duck_fill_resource_col(enum table_id id)
{
	static const int cols[TABLE_STORED_COUNT] = {
	    [TABLE_SPANS] = SPAN_RESOURCE_ID,
	    [TABLE_LOGS] = LOG_RESOURCE_ID,
	    [TABLE_POINTS] = POINT_RESOURCE_ID,
	    [TABLE_COMMENTS] = -1,
	    [TABLE_RESOURCES] = RESOURCE_ID,
	    [TABLE_SCOPES] = -1,
	};
	CHECK(id < TABLE_STORED_COUNT);
	return cols[id];
}

int
duck_fill_scope_col(enum table_id id)
{
	static const int cols[TABLE_STORED_COUNT] = {
	    [TABLE_SPANS] = SPAN_SCOPE_ID,
	    [TABLE_LOGS] = LOG_SCOPE_ID,
	    [TABLE_POINTS] = POINT_SCOPE_ID,
	    [TABLE_COMMENTS] = -1,
	    [TABLE_RESOURCES] = -1,
	    [TABLE_SCOPES] = SCOPE_ID,
	};
	CHECK(id < TABLE_STORED_COUNT);
	return cols[id];
}
