// SPDX-License-Identifier: MIT
/*
 * lmdb_commits DIRECTORY N: N transactions in an LMDB environment, each durable before it is said:
 * transaction i puts key i, and takes key i - 50 away.  Prints "commit I" behind each.
 *
 * lmdb_commits DIRECTORY: what of it is there.  Prints the last transaction's number; exits 1 with
 * a message where keys or values are none that any number of transactions leaves.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_BYTES (16ul << 20)
#define KEPT      50u
#define MOST      3000u /* bytes of a value */

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "lmdb_commits: %s: %s\n", what, mdb_strerror(rc));
	exit(1);
}

/* Keys sort as their numbers do. */
static MDB_val key_of(unsigned i, char *text)
{
	MDB_val val = {(size_t)sprintf(text, "%08u", i), text};

	return val;
}

static MDB_val value_of(unsigned i, char *bytes)
{
	MDB_val val = {i * 997u % MOST, bytes};

	memset(bytes, (int)('a' + i % 26), val.mv_size);
	return val;
}

static MDB_env *open_env(const char *directory, unsigned flags)
{
	MDB_env *env;

	must(mdb_env_create(&env), "mdb_env_create");
	must(mdb_env_set_mapsize(env, MAP_BYTES), "mdb_env_set_mapsize");
	must(mdb_env_open(env, directory, flags, 0644), "mdb_env_open");
	return env;
}

static void commit(MDB_env *env, unsigned i)
{
	char key_text[16], bytes[MOST];
	MDB_val key = key_of(i, key_text), value = value_of(i, bytes);
	MDB_txn *txn;
	MDB_dbi dbi;

	must(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
	must(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
	must(mdb_put(txn, dbi, &key, &value, MDB_NOOVERWRITE), "mdb_put");
	if (i > KEPT) {
		key = key_of(i - KEPT, key_text);
		must(mdb_del(txn, dbi, &key, NULL), "mdb_del");
	}
	must(mdb_txn_commit(txn), "mdb_txn_commit");
}

static void must_be(int ok, const char *what, unsigned i)
{
	if (ok)
		return;
	fprintf(stderr, "lmdb_commits: key %u %s\n", i, what);
	exit(1);
}

/* The keys are `last` and the KEPT before it, each with its value. */
static unsigned check(MDB_env *env)
{
	char key_text[16], bytes[MOST];
	unsigned n = 0, first = 1;
	MDB_cursor *cursor;
	MDB_val key, value;
	MDB_txn *txn;
	MDB_dbi dbi;

	must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
	must(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
	must(mdb_cursor_open(txn, dbi, &cursor), "mdb_cursor_open");
	for (; mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0; n++) {
		unsigned i = (unsigned)strtoul(key.mv_data, NULL, 10);
		MDB_val wanted = value_of(i, bytes);

		first = n ? first : i;
		must_be(i == first + n, "is out of turn", i);
		must_be(key.mv_size == key_of(i, key_text).mv_size, "is no key", i);
		must_be(value.mv_size == wanted.mv_size &&
				!memcmp(value.mv_data, wanted.mv_data, wanted.mv_size),
			"has another value", i);
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	must_be(n == KEPT || (first == 1 && n < KEPT), "is not the last but 49", first);
	return first + n - 1;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	MDB_env *env;

	if (argc < 2) {
		fprintf(stderr, "usage: lmdb_commits DIRECTORY [N]\n");
		return 2;
	}
	env = open_env(argv[1], 0);
	for (unsigned i = 1; i <= n; i++) {
		commit(env, i);
		printf("commit %u\n", i);
		fflush(stdout);
	}
	if (n == 0)
		printf("commit %u\n", check(env));
	mdb_env_close(env);
	return 0;
}
