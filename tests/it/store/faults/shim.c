/*
 * Errors of the operating system, on order: a library for LD_PRELOAD that makes the n-th call of one kind fail, for files
 * below one directory. It is compiled by the test beside it (`shim.rs`, which also describes the environment variables).
 *
 * It calls the kernel directly wherever it can, so that it needs no symbol of libc beneath it and never meets itself.
 * Whoever calls the kernel without libc (the crate rustix does) or maps files into memory is not seen.
 */
#define _GNU_SOURCE
#include "device.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { OPEN, READ, WRITE, RENAME, SYNC, TRUNCATE, CLOSE, UNLINK, MKDIR, LIST, STAT, KINDS };
static const char *const NAMES[KINDS] = {"open",  "read",   "write", "rename", "sync", "truncate",
                                         "close", "unlink", "mkdir", "list",   "stat"};
enum action { PASS, FAIL, FAIL_SHORT, FAIL_AFTER };

static char directory[4096];
static size_t directory_len;
static const char *counts_file, *fired_file;
static int target = -1, error_number = EIO;
static long target_n, lasts_ms; /* -1: for ever */
static int kills, is_short, is_after;
static atomic_long counts[KINDS];
static atomic_long fired_at_ms = -1;
static atomic_int short_is_over;

static long now_ms(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

__attribute__((constructor)) static void begin(void) {
    const char *value = setting("FAULTS_DIR");
    if (value) {
        directory_len = (size_t)snprintf(directory, sizeof directory, "%s", value);
    }
    counts_file = setting("FAULTS_COUNTS");
    fired_file = setting("FAULTS_FIRED");
    if ((value = setting("FAULTS_KIND"))) {
        for (int kind = 0; kind < KINDS; kind++) {
            if (strcmp(value, NAMES[kind]) == 0) target = kind;
        }
    }
    if ((value = setting("FAULTS_N"))) target_n = atol(value);
    if ((value = setting("FAULTS_ERRNO"))) error_number = atoi(value);
    if ((value = setting("FAULTS_MS"))) lasts_ms = atol(value);
    kills = setting("FAULTS_KILL") != NULL;
    is_short = setting("FAULTS_SHORT") != NULL;
    is_after = setting("FAULTS_AFTER") != NULL;
    if (directory_len) device_begin(directory);
}

static void put(const char *path, const char *text, size_t len) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, text, len);
    syscall(SYS_close, fd);
}

__attribute__((destructor)) static void end(void) {
    if (!counts_file) return;
    char text[1024];
    int len = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        len += snprintf(text + len, sizeof text - (size_t)len, "%s %ld\n", NAMES[kind], atomic_load(&counts[kind]));
    }
    put(counts_file, text, (size_t)len);
}

static int is_below(const char *path) {
    return directory_len && strncmp(path, directory, directory_len) == 0 &&
           (path[directory_len] == '/' || path[directory_len] == 0);
}

/* Where a descriptor leads; asking the kernel each time is slower than a table of our own and cannot go wrong. */
static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long len = syscall(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
    if (len < 0) return 0;
    path[len] = 0;
    return 1;
}

static enum action decide(enum kind kind, const char *path) {
    if (device_is_at_work) return PASS;
    long n = atomic_fetch_add(&counts[kind], 1) + 1;
    if ((int)kind != target) return PASS;
    long fired = atomic_load(&fired_at_ms);
    if (fired >= 0) {
        /* It began; `once` has lasts_ms 0, so that only the call after a short write is left to fail. */
        int in_time = lasts_ms < 0 || now_ms() - fired < lasts_ms;
        if (in_time || (is_short && !atomic_exchange(&short_is_over, 1))) return is_after ? FAIL_AFTER : FAIL;
        return PASS;
    }
    if (n != target_n) return PASS;
    atomic_store(&fired_at_ms, now_ms());
    if (fired_file) {
        char text[4400];
        int len = snprintf(text, sizeof text, "%s %ld %s\n", NAMES[kind], n, path);
        put(fired_file, text, (size_t)len);
    }
    if (is_short) return FAIL_SHORT;
    if (kills) {
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    }
    return is_after ? FAIL_AFTER : FAIL;
}

static enum action on_path(enum kind kind, int at, const char *path) {
    char whole[8300];
    if (!path) return PASS;
    if (path[0] != '/') {
        if (at == AT_FDCWD || !path_of(at, whole, 4096)) return PASS;
        size_t len = strlen(whole);
        snprintf(whole + len, sizeof whole - len, path[0] ? "/%s" : "%s", path);
        path = whole;
    }
    return is_below(path) ? decide(kind, path) : PASS;
}

static enum action on_fd(enum kind kind, int fd) {
    int before = errno;
    char path[4096];
    enum action action = path_of(fd, path, sizeof path) && is_below(path) ? decide(kind, path) : PASS;
    errno = before;
    return action;
}

static int is_ours(int fd) {
    char path[4096];
    return path_of(fd, path, sizeof path) && is_below(path);
}

static long fail(void) {
    errno = error_number;
    return -1;
}

/* One call that either happens or does not. */
#define CALL(decision, ...)                                                                                            \
    do {                                                                                                               \
        enum action decided = (decision);                                                                              \
        if (decided == FAIL || decided == FAIL_SHORT) return fail();                                                   \
        long answer = syscall(__VA_ARGS__);                                                                            \
        return decided == FAIL_AFTER && answer >= 0 ? fail() : answer;                                                 \
    } while (0)

/* ---- open ---- */

static int open_at(int at, const char *path, int flags, mode_t mode) {
    enum action action = on_path(OPEN, at, path);
    if (action != PASS) return (int)fail();
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

static mode_t mode_of(int flags, va_list rest) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(rest, int) : 0;
}

#define OPENS(name, extra)                                                                                             \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_of(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        return open_at(AT_FDCWD, path, flags | (extra), mode);                                                         \
    }
OPENS(open, 0)
OPENS(open64, O_LARGEFILE)

#define OPENS_AT(name, extra)                                                                                          \
    int name(int at, const char *path, int flags, ...) {                                                               \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_of(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        return open_at(at, path, flags | (extra), mode);                                                               \
    }
OPENS_AT(openat, 0)
OPENS_AT(openat64, O_LARGEFILE)

int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* ---- read ---- */

ssize_t read(int fd, void *to, size_t len) { CALL(on_fd(READ, fd), SYS_read, fd, to, len); }
ssize_t pread(int fd, void *to, size_t len, off_t at) { CALL(on_fd(READ, fd), SYS_pread64, fd, to, len, at); }
ssize_t pread64(int fd, void *to, size_t len, off64_t at) { CALL(on_fd(READ, fd), SYS_pread64, fd, to, len, at); }
ssize_t readv(int fd, const struct iovec *to, int count) { CALL(on_fd(READ, fd), SYS_readv, fd, to, count); }
ssize_t preadv(int fd, const struct iovec *to, int count, off_t at) {
    CALL(on_fd(READ, fd), SYS_preadv, fd, to, count, at, 0);
}
ssize_t preadv64(int fd, const struct iovec *to, int count, off64_t at) {
    CALL(on_fd(READ, fd), SYS_preadv, fd, to, count, at, 0);
}

/* ---- write ---- */

/* Where it went, at -1 for the descriptor's own place. */
static void tell_written(int fd, off_t at, ssize_t written) {
    int before = errno;
    if (written > 0) {
        if (at < 0) at = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) - written;
        device_written(fd, at, written);
    }
    errno = before;
}

/* The first half of the bytes is written, and then, by order, the process is gone: a torn write. */
static ssize_t after_half(int fd, off_t at, ssize_t written) {
    tell_written(fd, at, written);
    if (kills) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    return written;
}

#define WRITES(at, call, half)                                                                                           \
    do {                                                                                                               \
        enum action decided = on_fd(WRITE, fd);                                                                        \
        if (decided == FAIL) return fail();                                                                            \
        if (decided == FAIL_SHORT) return after_half(fd, at, half);                                                    \
        long answer = (call);                                                                                          \
        tell_written(fd, at, answer);                                                                                  \
        return decided == FAIL_AFTER && answer >= 0 ? fail() : answer;                                                 \
    } while (0)

ssize_t write(int fd, const void *from, size_t len) {
    WRITES(-1, syscall(SYS_write, fd, from, len), syscall(SYS_write, fd, from, (len + 1) / 2));
}
ssize_t pwrite(int fd, const void *from, size_t len, off_t at) {
    WRITES(at, syscall(SYS_pwrite64, fd, from, len, at), syscall(SYS_pwrite64, fd, from, (len + 1) / 2, at));
}
ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at) { return pwrite(fd, from, len, at); }

static ssize_t first_half(int fd, const struct iovec *from, int count, off_t at) {
    /* Half of the first piece, or the first piece when there are several. */
    size_t len = count > 1 ? from[0].iov_len : (from[0].iov_len + 1) / 2;
    return at < 0 ? syscall(SYS_write, fd, from[0].iov_base, len)
                  : syscall(SYS_pwrite64, fd, from[0].iov_base, len, at);
}
ssize_t writev(int fd, const struct iovec *from, int count) {
    WRITES(-1, syscall(SYS_writev, fd, from, count), first_half(fd, from, count, -1));
}
ssize_t pwritev(int fd, const struct iovec *from, int count, off_t at) {
    WRITES(at, syscall(SYS_pwritev, fd, from, count, at, 0), first_half(fd, from, count, at));
}
ssize_t pwritev64(int fd, const struct iovec *from, int count, off64_t at) { return pwritev(fd, from, count, at); }

ssize_t copy_file_range(int in, off64_t *in_at, int fd, off64_t *out_at, size_t len, unsigned flags) {
    WRITES(out_at ? *out_at : -1, syscall(SYS_copy_file_range, in, in_at, fd, out_at, len, flags),
           syscall(SYS_copy_file_range, in, in_at, fd, out_at, (len + 1) / 2, flags));
}

/* ---- rename, unlink, mkdir ---- */

int rename(const char *from, const char *to) {
    CALL(on_path(RENAME, AT_FDCWD, from), SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int from_at, const char *from, int to_at, const char *to) {
    CALL(on_path(RENAME, from_at, from), SYS_renameat2, from_at, from, to_at, to, 0);
}
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    CALL(on_path(RENAME, from_at, from), SYS_renameat2, from_at, from, to_at, to, flags);
}
int unlink(const char *path) { CALL(on_path(UNLINK, AT_FDCWD, path), SYS_unlinkat, AT_FDCWD, path, 0); }
int rmdir(const char *path) { CALL(on_path(UNLINK, AT_FDCWD, path), SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int at, const char *path, int flags) { CALL(on_path(UNLINK, at, path), SYS_unlinkat, at, path, flags); }
int mkdir(const char *path, mode_t mode) { CALL(on_path(MKDIR, AT_FDCWD, path), SYS_mkdirat, AT_FDCWD, path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { CALL(on_path(MKDIR, at, path), SYS_mkdirat, at, path, mode); }

/* ---- sync, truncate ---- */

static int sync_by(int number, int fd) {
    enum action action = on_fd(SYNC, fd);
    if (action == FAIL || action == FAIL_SHORT) {
        if (is_ours(fd)) device_sync_failed(fd);
        return (int)fail();
    }
    int answer = (int)syscall(number, fd);
    if (answer == 0 && is_ours(fd)) device_synced(fd);
    return answer == 0 && action == FAIL_AFTER ? (int)fail() : answer;
}
int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }
int sync_file_range(int fd, off64_t at, off64_t len, unsigned flags) {
    CALL(on_fd(SYNC, fd), SYS_sync_file_range, fd, at, len, flags);
}
int truncate(const char *path, off_t len) { CALL(on_path(TRUNCATE, AT_FDCWD, path), SYS_truncate, path, len); }
int truncate64(const char *path, off64_t len) { return truncate(path, len); }
int ftruncate(int fd, off_t len) {
    enum action action = on_fd(TRUNCATE, fd);
    if (action == FAIL || action == FAIL_SHORT) return (int)fail();
    int answer = (int)syscall(SYS_ftruncate, fd, len);
    if (answer == 0) device_truncated(fd, len);
    return answer == 0 && action == FAIL_AFTER ? (int)fail() : answer;
}
int ftruncate64(int fd, off64_t len) { return ftruncate(fd, len); }
int fallocate(int fd, int mode, off_t at, off_t len) { CALL(on_fd(TRUNCATE, fd), SYS_fallocate, fd, mode, at, len); }
int fallocate64(int fd, int mode, off64_t at, off64_t len) { return fallocate(fd, mode, at, len); }
/* This one answers the error itself. */
int posix_fallocate(int fd, off_t at, off_t len) { return fallocate(fd, 0, at, len) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off64_t at, off64_t len) { return posix_fallocate(fd, at, len); }

/* ---- close: what fails is closed all the same, as Linux has it ---- */

int close(int fd) {
    enum action action = on_fd(CLOSE, fd);
    long answer = syscall(SYS_close, fd);
    return (int)(action == PASS ? answer : fail());
}

/* ---- looking: directories and what a name is ---- */

DIR *opendir(const char *path) {
    DIR *(*real)(const char *) = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
    if (on_path(OPEN, AT_FDCWD, path) != PASS) {
        fail();
        return NULL;
    }
    return real(path);
}
struct dirent64 *readdir64(DIR *dir) {
    struct dirent64 *(*real)(DIR *) = (struct dirent64 * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir64");
    if (on_fd(LIST, dirfd(dir)) != PASS) {
        fail();
        return NULL;
    }
    return real(dir);
}
int statx(int at, const char *restrict path, int flags, unsigned mask, struct statx *restrict to) {
    /* The header promises a path; Rust's library asks without one whether the call exists. */
    const char *volatile name = path;
    CALL(name && name[0] == 0 ? on_fd(STAT, at) : on_path(STAT, at, name), SYS_statx, at, path, flags, mask, to);
}
