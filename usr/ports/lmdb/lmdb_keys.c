// SPDX-License-Identifier: MIT
/*
 * lmdb_keys DIRECTORY KEYS [writemap]: write KEYS keys into a new LMDB environment, a thousand a
 * transaction, read each back in a second environment of the same files, by key and in order, and
 * delete every third.  Prints what it found; exits 1 with a message as soon as something is wrong.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_BYTES (256ul << 20)
#define A_BATCH   1000u

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "lmdb_keys: %s: %s\n", what, mdb_strerror(rc));
	exit(1);
}

static void must_be(int ok, const char *what, unsigned i)
{
	if (ok)
		return;
	fprintf(stderr, "lmdb_keys: key %u: %s\n", i, what);
	exit(1);
}

/* Key number i in an order that jumps about, and the value that belongs to it. */
static unsigned nth(unsigned i, unsigned n)
{
	return (unsigned)((i * 7919ul) % n);
}

static MDB_val key_of(unsigned i, char *text)
{
	MDB_val val = {(size_t)sprintf(text, "key-%08u", i), text};

	return val;
}

static MDB_val value_of(unsigned i, char *text)
{
	MDB_val val = {
		(size_t)sprintf(text, "value-%u-%.*s", i, (int)(i % 60),
			"0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
		text};

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

static void write_keys(MDB_env *env, unsigned n)
{
	char key_text[32], value_text[128];

	for (unsigned i = 0; i < n;) {
		MDB_txn *txn;
		MDB_dbi dbi;

		must(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
		must(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
		for (unsigned end = i + A_BATCH; i < end && i < n; i++) {
			MDB_val key = key_of(nth(i, n), key_text);
			MDB_val value = value_of(nth(i, n), value_text);

			must(mdb_put(txn, dbi, &key, &value, MDB_NOOVERWRITE), "mdb_put");
		}
		must(mdb_txn_commit(txn), "mdb_txn_commit");
	}
}

/* Every key that `there` says is there, by looking it up. */
static void read_keys(MDB_env *env, unsigned n, int (*there)(unsigned))
{
	char key_text[32], value_text[128];
	MDB_txn *txn;
	MDB_dbi dbi;

	must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
	must(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
	for (unsigned i = 0; i < n; i++) {
		MDB_val key = key_of(i, key_text), wanted = value_of(i, value_text), value;
		int rc = mdb_get(txn, dbi, &key, &value);

		if (!there(i)) {
			must_be(rc == MDB_NOTFOUND, "is there, but was deleted", i);
			continue;
		}
		must(rc, "mdb_get");
		must_be(value.mv_size == wanted.mv_size &&
				!memcmp(value.mv_data, wanted.mv_data, value.mv_size),
			"has another value", i);
	}
	mdb_txn_abort(txn);
}

/* How many there are, by walking; that the order is right is asked of each neighbour. */
static unsigned walk(MDB_env *env)
{
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_dbi dbi;
	MDB_val key, value;
	char last[32] = "";
	unsigned n = 0;

	must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
	must(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
	must(mdb_cursor_open(txn, dbi, &cursor), "mdb_cursor_open");
	for (; mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0; n++) {
		must_be(key.mv_size < sizeof(last), "is too long", n);
		must_be(memcmp(last, key.mv_data, key.mv_size) < 0, "is out of order", n);
		memcpy(last, key.mv_data, key.mv_size);
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	return n;
}

static void delete_keys(MDB_env *env, unsigned n, int (*there)(unsigned))
{
	char key_text[32];
	MDB_txn *txn;
	MDB_dbi dbi;

	must(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
	must(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
	for (unsigned i = 0; i < n; i++) {
		MDB_val key = key_of(i, key_text);

		if (!there(i))
			must(mdb_del(txn, dbi, &key, NULL), "mdb_del");
	}
	must(mdb_txn_commit(txn), "mdb_txn_commit");
}

static int all(unsigned i)
{
	(void)i;
	return 1;
}

static int not_each_third(unsigned i)
{
	return i % 3 != 0;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	unsigned flags = argc > 3 && !strcmp(argv[3], "writemap") ? MDB_WRITEMAP : 0;
	MDB_env *env;

	if (!n) {
		fprintf(stderr, "usage: lmdb_keys DIRECTORY KEYS [writemap]\n");
		return 2;
	}
	env = open_env(argv[1], flags);
	write_keys(env, n);
	mdb_env_close(env);

	env = open_env(argv[1], MDB_RDONLY);
	read_keys(env, n, all);
	printf("%u keys read back\n", walk(env));
	mdb_env_close(env);

	env = open_env(argv[1], flags);
	delete_keys(env, n, not_each_third);
	must(mdb_env_sync(env, 1), "mdb_env_sync");
	mdb_env_close(env);

	env = open_env(argv[1], MDB_RDONLY);
	read_keys(env, n, not_each_third);
	printf("%u keys are left\n", walk(env));
	mdb_env_close(env);
	return 0;
}
