// SPDX-License-Identifier: MIT
#include "harness.h"
#include <posix.h>
#include <time.h>

#define FRAMES 16384

struct fs_context ctx;
static struct path_recents recent;
static struct fs_cred cred;

void become(uint32_t uid, uint32_t gid)
{
	cred = (struct fs_cred){.uid = uid, .gid = gid};
	ctx.cred = &cred;
}

int group_setup(void **state)
{
	(void)state;
	posix_start(FRAMES);
	return mvm_init() || vfs_init(1000, 1000);
}

static size_t frames_before;

int test_setup(void **state)
{
	int err;

	(void)state;
	frames_before = posix_frames_used();
	err = mount_root("tmpfs", "none", 0, &ctx.root);
	ctx.cwd = ctx.root;
	ctx.umask = 0;
	ctx.recent = &recent;
	become(0, 0);
	return err;
}

int test_teardown(void **state)
{
	struct vfs_counts counts;

	(void)state;
	vfs_check();
	dentry_unref(ctx.root);
	if (mount_shutdown())
		return -1;
	vfs_counts(&counts);
	if (counts.names || counts.vnodes || counts.files) {
		print_error("left behind: %zu names, %zu vnodes, %zu files\n", counts.names,
			counts.vnodes, counts.files);
		return -1;
	}
	if (posix_frames_used() != frames_before) {
		print_error("left behind: %zu frames\n", posix_frames_used() - frames_before);
		return -1;
	}
	return 0;
}

/* --- Copies ---------------------------------------------------------------------------------- */

static size_t memory_copy(struct mvm_copy *c, void *kernel, size_t done, size_t n)
{
	struct memory *m = (struct memory *)c;

	if (m->piece && n > m->ready - done)
		n = m->ready - done;
	if (m->to_file)
		memcpy(kernel, m->bytes + done, n);
	else
		memcpy(m->bytes + done, kernel, n);
	return n;
}

static int memory_prefault(struct mvm_copy *c, size_t done, size_t n)
{
	struct memory *m = (struct memory *)c;

	(void)n;
	if (done >= m->end)
		return -EFAULT;
	m->ready = done + m->piece < m->end ? done + m->piece : m->end;
	return 0;
}

static struct memory memory_for(void *bytes, size_t n, bool to_file)
{
	return (struct memory){
		.copy = {.copy = memory_copy, .prefault = memory_prefault},
		.bytes = bytes,
		.to_file = to_file,
		.end = n,
	};
}

struct memory memory_for_read(void *to, size_t n)
{
	return memory_for(to, n, false);
}

struct memory memory_for_write(const void *from, size_t n)
{
	return memory_for((void *)from, n, true);
}

/* --- Calls ----------------------------------------------------------------------------------- */

struct file *must_open(const char *path, unsigned flags)
{
	struct file *f;

	assert_int_equal(vfs_open(&ctx, NULL, path, flags, 0666, &f), 0);
	return f;
}

int open_err(const char *path, unsigned flags)
{
	struct file *f;
	int err = vfs_open(&ctx, NULL, path, flags, 0666, &f);

	if (!err)
		file_unref(f);
	return err;
}

int write_at(struct file *f, uint64_t offset, const void *bytes, size_t n)
{
	struct memory m = memory_for_write(bytes, n);
	size_t done;
	int err = file_pwrite(f, &m.copy, n, offset, &done);

	return done ? (int)done : err;
}

int read_at(struct file *f, uint64_t offset, void *bytes, size_t n)
{
	struct memory m = memory_for_read(bytes, n);
	size_t done;
	int err = file_pread(f, &m.copy, n, offset, &done);

	return done ? (int)done : err;
}

void must_write(const char *path, const char *text)
{
	struct file *f = must_open(path, FS_O_WRONLY | FS_O_CREAT | FS_O_TRUNC);

	assert_int_equal(write_at(f, 0, text, strlen(text)), strlen(text));
	file_unref(f);
}

void must_mkdir(const char *path)
{
	assert_int_equal(vfs_mkdir(&ctx, NULL, path, 0777), 0);
}

char *contents(const char *path)
{
	struct fs_attr attr;
	struct file *f;
	char *text;
	int n;

	if (vfs_open(&ctx, NULL, path, FS_O_RDONLY, 0, &f))
		return NULL;
	assert_int_equal(file_getattr(f, &attr), 0);
	text = calloc(1, attr.size_bytes + 1);
	n = read_at(f, 0, text, attr.size_bytes);
	assert_int_equal(n, attr.size_bytes);
	file_unref(f);
	return text;
}

struct collect {
	struct fs_readdir r;
	char *text;
	size_t size;
};

static bool collect_name(struct fs_readdir *r, const struct fs_entry *entry)
{
	struct collect *c = (struct collect *)r;
	size_t used = strlen(c->text);

	if (entry->name[0] == '.' && (entry->name_bytes == 1 || entry->name[1] == '.'))
		return true;
	if (used + entry->name_bytes + 2 > c->size)
		return false;
	sprintf(c->text + used, "%s%.*s", used ? " " : "", (int)entry->name_bytes, entry->name);
	return true;
}

const char *names_in(const char *path)
{
	static char text[4096];
	struct collect c = {{collect_name}, text, sizeof(text)};
	struct file *f = must_open(path, FS_O_RDONLY | FS_O_DIRECTORY);

	text[0] = '\0';
	assert_int_equal(file_readdir(f, &c.r), 0);
	file_unref(f);
	return text;
}

int lstat_of(const char *path, struct fs_attr *attr)
{
	struct fs_attr unused;

	return vfs_stat(&ctx, NULL, path, 0, attr ? attr : &unused);
}

const char *error_name(int err)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {
		{0, "ok"},
		{EPERM, "EPERM"},
		{ENOENT, "ENOENT"},
		{EIO, "EIO"},
		{ENXIO, "ENXIO"},
		{EBADF, "EBADF"},
		{ENOMEM, "ENOMEM"},
		{EACCES, "EACCES"},
		{EFAULT, "EFAULT"},
		{EBUSY, "EBUSY"},
		{EEXIST, "EEXIST"},
		{EXDEV, "EXDEV"},
		{ENODEV, "ENODEV"},
		{ENOTDIR, "ENOTDIR"},
		{EISDIR, "EISDIR"},
		{EINVAL, "EINVAL"},
		{ENOSPC, "ENOSPC"},
		{ESPIPE, "ESPIPE"},
		{EROFS, "EROFS"},
		{EMLINK, "EMLINK"},
		{ENAMETOOLONG, "ENAMETOOLONG"},
		{ENOTEMPTY, "ENOTEMPTY"},
		{ELOOP, "ELOOP"},
		{EFBIG, "EFBIG"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].err == -err)
			return names[i].name;
	return "?";
}

const char *walked(const char *path, unsigned flags)
{
	static char buffer[FS_PATH_MAX];
	struct dentry *d;
	char *text;
	int err = path_lookup(&ctx, NULL, path, flags, &d);

	if (err)
		return error_name(err);
	err = dentry_path(d, ctx.root, buffer, sizeof(buffer), &text);
	dentry_unref(d);
	return err ? error_name(err) : text;
}

/* --- Random numbers -------------------------------------------------------------------------- */

uint64_t test_seed(void)
{
	const char *given = getenv("FS_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;

	print_message("# FS_TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed ? seed : 1;
}

uint64_t test_steps(uint64_t normal)
{
	const char *given = getenv("FS_TEST_STEPS");

	return given ? strtoull(given, NULL, 0) : normal;
}

uint32_t random_below(uint64_t *rng, uint32_t n)
{
	/* xorshift64*: Vigna, ACM Transactions on Mathematical Software 42(4), 2016. */
	*rng ^= *rng >> 12;
	*rng ^= *rng << 25;
	*rng ^= *rng >> 27;
	return (uint32_t)((*rng * 0x2545f4914f6cdd1dull) >> 32) % n;
}
