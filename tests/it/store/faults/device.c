/*
 * The device under the files, as the strictest file system would have it at any moment: a file has the bytes of its last
 * successful sync, a directory the names of its last successful sync, and nothing else is there. What a failed sync was to
 * write is gone, also for the syncs after it, unless it is written once more (as Linux has it, which calls such pages clean).
 *
 * It is kept in the folder FAULTS_DEVICE, one file for each inode. Of a directory that file has a line for each name:
 * `INODE NAME`. An inode is named by its number and its birth, since numbers are used again at once.
 */
#define _GNU_SOURCE
#include "device.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEY 80
#define LOST_MAX 256

_Thread_local int device_is_at_work;

static const char *folder;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Bytes that a failed sync has lost, by file: from, to. */
static struct lost {
    char key[KEY];
    long from, to;
} lost[LOST_MAX];
static int lost_count;

static int key_of(int at, const char *name, char *key, mode_t *mode) {
    struct statx found;
    int flags = name[0] ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
    if (syscall(SYS_statx, at, name, flags, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) return 0;
    snprintf(key, KEY, "%llu-%lld-%u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
             found.stx_btime.tv_nsec);
    *mode = found.stx_mode;
    return 1;
}

static char *whole(int at, const char *name, long *len) {
    int fd = (int)syscall(SYS_openat, at, name, O_RDONLY | O_CLOEXEC, 0);
    *len = 0;
    if (fd < 0) return NULL;
    struct stat found;
    char *bytes = NULL;
    if (fstat(fd, &found) == 0 && (bytes = malloc((size_t)found.st_size + 1))) {
        long got;
        while (*len < found.st_size &&
               (got = syscall(SYS_pread64, fd, bytes + *len, found.st_size - *len, *len)) > 0) {
            *len += got;
        }
    }
    syscall(SYS_close, fd);
    return bytes;
}

static void keep(const char *key, const char *bytes, long len) {
    char draft[4300], final[4300];
    snprintf(draft, sizeof draft, "%s/draft", folder);
    snprintf(final, sizeof final, "%s/%s", folder, key);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return;
    for (long done = 0, put; done < len && (put = syscall(SYS_write, fd, bytes + done, len - done)) > 0;) done += put;
    syscall(SYS_close, fd);
    syscall(SYS_renameat2, AT_FDCWD, draft, AT_FDCWD, final, 0);
}

static struct lost *lost_of(const char *key) {
    for (int i = 0; i < lost_count; i++) {
        if (strcmp(lost[i].key, key) == 0) return &lost[i];
    }
    return NULL;
}

static char *kept(const char *key, long *len) {
    char path[4300];
    snprintf(path, sizeof path, "%s/%s", folder, key);
    return whole(AT_FDCWD, path, len);
}

static void keep_file(const char *key, int at, const char *name) {
    long len, old_len = 0;
    char *bytes = whole(at, name, &len);
    if (!bytes) return;
    struct lost *gone = lost_of(key);
    if (gone && gone->from < gone->to) {
        char *old = kept(key, &old_len);
        for (long i = gone->from; i < gone->to && i < len; i++) bytes[i] = old && i < old_len ? old[i] : 0;
        free(old);
    }
    keep(key, bytes, len);
    free(bytes);
}

static void keep_directory(const char *key, const char *path, int with_contents) {
    DIR *dir = opendir(path);
    if (!dir) return;
    char *text = malloc(1 << 20);
    long len = 0;
    struct dirent64 *entry;
    while (text && (entry = readdir64(dir)) && len < (1 << 20) - 1000) {
        char found[KEY];
        mode_t mode;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (!key_of(dirfd(dir), entry->d_name, found, &mode)) continue;
        len += snprintf(text + len, 900, "%s %s\n", found, entry->d_name);
        if (!with_contents) continue;
        if (S_ISDIR(mode)) {
            char below[4300];
            snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
            keep_directory(found, below, 1);
        } else {
            keep_file(found, dirfd(dir), entry->d_name);
        }
    }
    if (text) keep(key, text, len);
    free(text);
    closedir(dir);
}

void device_begin(const char *directory) {
    char key[KEY];
    mode_t mode;
    folder = getenv("FAULTS_DEVICE");
    if (!folder || !*folder) {
        folder = NULL;
        return;
    }
    device_is_at_work = 1;
    if (key_of(AT_FDCWD, directory, key, &mode)) keep_directory(key, directory, 1);
    device_is_at_work = 0;
}

/* A file that is looked at: between entering and leaving nothing else is, and no call counts. */
struct looked_at {
    char key[KEY], path[64];
    mode_t mode;
};

static int enter(int fd, struct looked_at *file) {
    if (!folder) return 0;
    pthread_mutex_lock(&lock);
    device_is_at_work = 1;
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", fd);
    return 1;
}

static void leave(void) {
    device_is_at_work = 0;
    pthread_mutex_unlock(&lock);
}

void device_synced(int fd) {
    struct looked_at file;
    if (!enter(fd, &file)) return;
    if (key_of(fd, "", file.key, &file.mode)) {
        if (S_ISDIR(file.mode)) {
            keep_directory(file.key, file.path, 0);
        } else {
            keep_file(file.key, AT_FDCWD, file.path);
        }
    }
    leave();
}

/* Everything from the first byte that the device does not have to the last one. */
static void lose(const struct looked_at *file) {
    long len, old_len, from = 0, to;
    char *bytes = whole(AT_FDCWD, file->path, &len), *old = kept(file->key, &old_len);
    struct lost *gone = lost_of(file->key);
    if (!bytes) len = 0;
    if (!old) old_len = 0;
    while (from < len && from < old_len && bytes[from] == old[from]) from++;
    to = len;
    while (len == old_len && to > from && bytes[to - 1] == old[to - 1]) to--;
    if (!gone && lost_count < LOST_MAX) {
        gone = &lost[lost_count++];
        snprintf(gone->key, KEY, "%s", file->key);
    }
    if (gone && from < to) {
        gone->from = from;
        gone->to = to;
    }
    free(bytes);
    free(old);
}

void device_sync_failed(int fd) {
    struct looked_at file;
    if (!enter(fd, &file)) return;
    if (key_of(fd, "", file.key, &file.mode) && !S_ISDIR(file.mode)) lose(&file);
    leave();
}

void device_written(int fd, long from, long len) {
    struct looked_at file;
    if (lost_count == 0 || len <= 0 || !enter(fd, &file)) return;
    struct lost *gone = key_of(fd, "", file.key, &file.mode) ? lost_of(file.key) : NULL;
    if (gone && from <= gone->from && from + len > gone->from) gone->from = from + len;
    if (gone && from > gone->from && from < gone->to && from + len >= gone->to) gone->to = from;
    leave();
}

void device_truncated(int fd, long len) {
    struct looked_at file;
    if (lost_count == 0 || !enter(fd, &file)) return;
    struct lost *gone = key_of(fd, "", file.key, &file.mode) ? lost_of(file.key) : NULL;
    if (gone && gone->to > len) gone->to = len;
    leave();
}
