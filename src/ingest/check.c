/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/check.c - what /readyz says: for each part whether it does its work, and in words what
 * keeps it from doing so.
 */
#include "ingest/ingest_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"

#include <stdio.h>

typedef unsigned long long ull;

/* The texts of the threads, copied under their lock. */
struct texts {
	char log[INGEST_TEXT_BYTES], load[INGEST_TEXT_BYTES], disk[INGEST_TEXT_BYTES];
};

static void
check_log(struct ingest *in, const struct texts *t, struct ingest_check *c)
{
	c->ok = !wal_failed(in->wal) && !t->log[0];
	if (!c->ok) {
		memcpy(c->text, t->log, sizeof(c->text));
		return;
	}
	snprintf(c->text, sizeof(c->text),
	    "durable up to record %llu, %llu segments; %llu KiB are only in the log",
	    (ull)wal_durable_seq(in->wal), (ull)wal_segment_count(in->wal),
	    (ull)(ingest_kept_bytes(in) / LIMIT_KIB));
}

static void
say_catching_up(struct ingest *in, char text[LIMIT_CHECK_TEXT_BYTES])
{
	uint64_t all = in->start_bytes_end - in->start_bytes;
	uint64_t done = atomic_load(&in->loaded_bytes);
	done = done > in->start_bytes ? done - in->start_bytes : 0;
	bool large = all >= 10 * LIMIT_MIB;
	uint64_t unit = large ? LIMIT_MIB : LIMIT_KIB;
	snprintf(text, LIMIT_CHECK_TEXT_BYTES, "catching up: %llu of %llu %s of the log are loaded",
	    (ull)((done < all ? done : all) / unit), (ull)(all / unit), large ? "MiB" : "KiB");
}

static void
check_loader(struct ingest *in, const struct texts *t, struct ingest_check *c)
{
	uint64_t lag = ingest_lag_bytes(in);
	bool behind = lag > in->limits->lag_bytes_max;
	bool caught_up = atomic_load(&in->caught_up);
	c->ok = !t->load[0] && !behind && caught_up;
	if (t->load[0])
		memcpy(c->text, t->load, sizeof(c->text));
	else if (behind)
		snprintf(c->text, sizeof(c->text),
		    "lag: %llu MiB of the log are waiting to be loaded, --max-lag-bytes is %llu "
		    "MiB: requests are refused",
		    (ull)(lag / LIMIT_MIB), (ull)(in->limits->lag_bytes_max / LIMIT_MIB));
	else if (!caught_up)
		say_catching_up(in, c->text);
	else
		snprintf(c->text, sizeof(c->text), "loaded up to record %llu, %llu KiB are waiting",
		    (ull)atomic_load(&in->loaded_seq), (ull)(lag / LIMIT_KIB));
}

static void
check_disk(struct ingest *in, const struct texts *t, struct ingest_check *c)
{
	ull free_mib = atomic_load(&in->free_bytes) / LIMIT_MIB;
	ull floor_mib = in->limits->free_bytes_min / LIMIT_MIB;
	bool low = atomic_load(&in->disk_low);
	c->ok = !low && !t->disk[0];
	if (t->disk[0])
		memcpy(c->text, t->disk, sizeof(c->text));
	else if (low)
		snprintf(c->text, sizeof(c->text),
		    "disk floor: %llu MiB are free, %llu of them for what is only in the log, "
		    "--min-free-bytes is %llu MiB: requests are refused",
		    free_mib, (ull)(ingest_kept_bytes(in) / LIMIT_MIB), floor_mib);
	else
		snprintf(c->text, sizeof(c->text), "%llu MiB are free, %llu MiB must be", free_mib,
		    floor_mib);
}

/* Letters are no reason not to send requests here. */
static void
check_letters(struct ingest *in, struct ingest_check *c)
{
	uint64_t n[DLQ_UNREADABLE + 1] = {0};
	c->ok = true;
	if (in->dlq)
		dlq_counts(in->dlq, n);
	ull waiting = n[DLQ_WAITING] + n[DLQ_RUNNING];
	if (!in->dlq)
		snprintf(c->text, sizeof(c->text), "there is no store of dead letters");
	else if (waiting + n[DLQ_QUARANTINED] + n[DLQ_UNREADABLE] == 0)
		snprintf(c->text, sizeof(c->text), "no dead letters");
	else
		snprintf(c->text, sizeof(c->text),
		    "dead letters: %llu to be tried again, %llu in quarantine, %llu unreadable; see "
		    "weir dlq list",
		    waiting, (ull)n[DLQ_QUARANTINED], (ull)n[DLQ_UNREADABLE]);
}

void
ingest_checks(struct ingest *in, struct ingest_check out[INGEST_CHECKS])
{
	static const char *const names[INGEST_CHECKS] = {"wal", "loader", "disk", "store", "dlq"};
	struct store_status store = {0};
	struct texts t;
	mutex_lock(&in->lock);
	memcpy(t.log, in->log_text, sizeof(t.log));
	memcpy(t.load, in->load_text, sizeof(t.load));
	memcpy(t.disk, in->disk_text, sizeof(t.disk));
	mutex_unlock(&in->lock);
	for (int i = 0; i < INGEST_CHECKS; i++)
		out[i] = (struct ingest_check){.name = names[i]};
	check_log(in, &t, &out[0]);
	check_loader(in, &t, &out[1]);
	check_disk(in, &t, &out[2]);
	store_status(in->store, &store);
	out[3].ok = store.ok;
	snprintf(out[3].text, sizeof(out[3].text), "%s", store.text);
	check_letters(in, &out[4]);
}

bool
ingest_catches_up(struct ingest *in, char text[LIMIT_CHECK_TEXT_BYTES])
{
	uint64_t since_ns = atomic_load(&in->failing_since_ns);
	if (atomic_load(&in->caught_up) ||
	    (since_ns > 0 && clock_mono_ns() - since_ns >= INGEST_STUCK_MS * NS_PER_MS))
		return false;
	say_catching_up(in, text);
	return true;
}
