// SPDX-License-Identifier: MIT
/*
 * The system's calls, as POSIX names them. Unless said otherwise: -1 and errno on failure, and
 * nothing has changed then.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define STDIN_FILENO  0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2

#ifndef SEEK_SET
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#endif
#define SEEK_DATA 3
#define SEEK_HOLE 4

#define F_OK 0
#define X_OK 1
#define W_OK 2
#define R_OK 4

#define _SC_ARG_MAX          0
#define _SC_CLK_TCK          2
#define _SC_NGROUPS_MAX      3
#define _SC_OPEN_MAX         4
#define _SC_PAGESIZE         30
#define _SC_PAGE_SIZE        _SC_PAGESIZE
#define _SC_IOV_MAX          60
#define _SC_NPROCESSORS_CONF 83
#define _SC_NPROCESSORS_ONLN 84
#define _SC_PHYS_PAGES       85
#define _SC_AVPHYS_PAGES     86

extern char **environ;

/* descriptors */
ssize_t read(int fd, void *to, size_t n);
ssize_t write(int fd, const void *from, size_t n);
ssize_t pread(int fd, void *to, size_t n, off_t offset);
ssize_t pwrite(int fd, const void *from, size_t n, off_t offset);
off_t lseek(int fd, off_t offset, int whence);
int close(int fd);
int close_range(unsigned first, unsigned last, int flags); /* CLOSE_RANGE_... */
int dup(int fd);
int dup2(int fd, int to);
int dup3(int fd, int to, int flags);
int pipe(int fds[2]);
int pipe2(int fds[2], int flags);
/* Between files; a NULL offset is the file's position, another moves along. */
ssize_t copy_file_range(int in, off_t *from, int out, off_t *to, size_t n, unsigned flags);
int fsync(int fd);
int fdatasync(int fd);
int ftruncate(int fd, off_t size);
int isatty(int fd);                            /* 1, or 0 with ENOTTY or EBADF */
char *ttyname(int fd);                         /* its path under /dev */
int ttyname_r(int fd, char *to, size_t bytes); /* returns the error */

/* names */
int access(const char *path, int mode);
int faccessat(int dir, const char *path, int mode, int flags);
int chdir(const char *path);
int fchdir(int fd);
char *getcwd(char *to, size_t size); /* to == NULL: from malloc. ERANGE when it does not fit */
int chown(const char *path, uid_t user, gid_t group);
int fchown(int fd, uid_t user, gid_t group);
int lchown(const char *path, uid_t user, gid_t group);
int fchownat(int dir, const char *path, uid_t user, gid_t group, int flags);
int link(const char *from, const char *to);
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int symlink(const char *target, const char *path);
int symlinkat(const char *target, int dir, const char *path);
ssize_t readlink(const char *restrict path, char *restrict to, size_t size); /* no NUL */
ssize_t readlinkat(int dir, const char *restrict path, char *restrict to, size_t size);
int unlink(const char *path);
int unlinkat(int dir, const char *path, int flags);
int rmdir(const char *path);
int truncate(const char *path, off_t size);
void sync(void);
int syncfs(int fd);
int chroot(const char *path);

/* processes */
pid_t fork(void);
/* The child runs in the parent's memory, on its stack, until it calls execve or _exit, which is all
 * that it may do; the parent waits. */
pid_t vfork(void);
int execve(const char *path, char *const argv[], char *const envp[]);
int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags);
int fexecve(int fd, char *const argv[], char *const envp[]);
int execv(const char *path, char *const argv[]);
int execvp(const char *file, char *const argv[]);
int execvpe(const char *file, char *const argv[], char *const envp[]);
int execl(const char *path, const char *arg, ...);
int execlp(const char *file, const char *arg, ...);
int execle(const char *path, const char *arg, ...);
_Noreturn void _exit(int status);
pid_t getpid(void);
pid_t getppid(void);
pid_t gettid(void);
pid_t getpgrp(void);
pid_t getpgid(pid_t pid);
int setpgid(pid_t pid, pid_t group);
pid_t getsid(pid_t pid);
pid_t setsid(void);
pid_t tcgetpgrp(int fd);
int tcsetpgrp(int fd, pid_t group);
int nice(int increment);

/* identity */
uid_t getuid(void);
uid_t geteuid(void);
gid_t getgid(void);
gid_t getegid(void);
int setuid(uid_t user);
int setgid(gid_t group);
int seteuid(uid_t user);
int setegid(gid_t group);
int setreuid(uid_t real, uid_t effective); /* -1, here and below: as it is */
int setregid(gid_t real, gid_t effective);
int setresuid(uid_t real, uid_t effective, uid_t saved);
int setresgid(gid_t real, gid_t effective, gid_t saved);
int getresuid(uid_t *real, uid_t *effective, uid_t *saved);
int getresgid(gid_t *real, gid_t *effective, gid_t *saved);
int getgroups(int size, gid_t groups[]);
int gethostname(char *to, size_t size);
int sethostname(const char *name, size_t size);

/* time */
unsigned sleep(unsigned seconds); /* the seconds left when a signal ended it */
int usleep(useconds_t microseconds);
unsigned alarm(unsigned seconds); /* the seconds that were left of the one before */
int pause(void);

/* memory */
int brk(void *end);
void *sbrk(ptrdiff_t increment); /* the old end; (void *)-1 and ENOMEM */

long sysconf(int name);
int getpagesize(void);
int getentropy(void *to, size_t n); /* n <= 256 */
long syscall(long number, ...);     /* any call: the result, or -1 and errno */

/* option parsing; see <getopt.h> */
extern char *optarg;
extern int optind, opterr, optopt;
int getopt(int argc, char *const argv[], const char *options);
