/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/secure.h - what `weir serve` does about TLS: its options, the certificate's life, what the log says of it.
 *
 * Threading: the main thread.
 */
#ifndef APP_SECURE_H
#define APP_SECURE_H

#include "app/config.h"
#include "tls/tls.h"

/* Which options go together. ERR_INVALID. */
MUST_CHECK enum err_code secure_check(const struct config *c, struct err *err);
/* *out is NULL when there is to be no TLS. Says which certificate it is. */
MUST_CHECK enum err_code secure_open(const struct config *c, struct tls_context **out,
    struct err *err);
/* Read certificate, key and CAs again, and say so; also when that cannot be. NULL: does nothing. */
void secure_reload(struct tls_context *t);
/* Say it when the certificate's time is over, or nearly. To be asked once a day. NULL: does nothing. */
void secure_look(struct tls_context *t);

#endif
