/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/tenant.h"

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '.' || c == '_' || c == '-';
}

bool
tenant_name_valid(struct str name)
{
	if (name.len == 0 || name.len > LIMIT_TENANT_BYTES)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!is_name_char(name.ptr[i]))
			return false;
	return !str_eq(name, STR(".")) && !str_eq(name, STR(".."));
}

enum err_code
tenant_choose(struct str header_1, struct str header_2, struct str *name_out, struct err *err)
{
	*name_out = header_1.len > 0 ? header_1 : header_2;
	if (header_1.len > 0 && header_2.len > 0 && !str_eq(header_1, header_2))
		return err_set(err, ERR_INVALID, "%s and %s name different tenants",
		    TENANT_HEADER_1, TENANT_HEADER_2);
	if (name_out->len == 0)
		*name_out = STR("default");
	if (tenant_name_valid(*name_out))
		return ERR_OK;
	return err_set(err, ERR_INVALID,
	    "a tenant name is 1 to %d of the characters A-Z a-z 0-9 . _ -", LIMIT_TENANT_BYTES);
}
