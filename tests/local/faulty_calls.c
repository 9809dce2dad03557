/* Preloaded into a process: its N-th call of the kernel that matters fails, as disks and systems fail.

   Counted are calls that open, write, rename or sync a file below FAULT_FOLDER, or start a process. Only the process whose
   command line holds FAULT_PROCESS counts them, its forks do not. FAULT_AT is N (0: none fails) and FAULT_ERROR the
   number of the error. How many it has counted is written to the file FAULT_COUNT. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pid_t counting; /* the process that counts; 0 for none */
static long count, fails_at;
static int error_number;
static char folder[PATH_MAX];

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    char command[8192];
    const char *wanted = getenv("FAULT_PROCESS"), *at = getenv("FAULT_AT"), *number = getenv("FAULT_ERROR"), *below = getenv("FAULT_FOLDER");
    if (!wanted || !at || !number || !below) return;
    int file = REAL(open)("/proc/self/cmdline", O_RDONLY);
    ssize_t length = file < 0 ? -1 : read(file, command, sizeof command - 1);
    if (file >= 0) close(file);
    if (length <= 0) return;
    for (ssize_t place = 0; place < length; place++) if (!command[place]) command[place] = ' ';
    command[length] = 0;
    if (!strstr(command, wanted)) return;
    snprintf(folder, sizeof folder, "%s", below);
    fails_at = atol(at);
    error_number = atoi(number);
    counting = getpid();
}

/* A process may be killed at any moment, so the count is written at every call. */
static void tell(long counted) {
    const char *told = getenv("FAULT_COUNT");
    int file = told ? REAL(open)(told, O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;
    if (file < 0) return;
    char text[32];
    int length = snprintf(text, sizeof text, "%ld", counted);
    if (REAL(write)(file, text, (size_t)length) != length) _exit(99);
    close(file);
}

static int fails(void) {
    if (!counting || getpid() != counting) return 0;
    long place = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    tell(place);
    if (place != fails_at) return 0;
    errno = error_number;
    return 1;
}

static int is_below(const char *path) {
    /* Invoke itself reads tasks.py and invoke.yaml, and shows what that raises. */
    int is_invokes = path && (strstr(path, "/tasks.") || strstr(path, "/invoke."));
    return counting && path && !is_invokes && !strncmp(path, folder, strlen(folder));
}

static int is_open_below(int file) {
    char link[64], path[PATH_MAX];
    if (!counting) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_below(path);
}

#define OPEN(name)                                         \
    int name(const char *path, int flags, ...) {           \
        va_list more;                                      \
        va_start(more, flags);                             \
        mode_t mode = va_arg(more, mode_t);                \
        va_end(more);                                      \
        if (is_below(path) && fails()) return -1;          \
        return REAL(name)(path, flags, mode);              \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int file, const void *bytes, size_t length) {
    if (is_open_below(file) && fails()) return -1;
    return REAL(write)(file, bytes, length);
}

int fsync(int file) {
    if (is_open_below(file) && fails()) return -1;
    return REAL(fsync)(file);
}

int rename(const char *from, const char *to) {
    if (is_below(from) && fails()) return -1;
    return REAL(rename)(from, to);
}

pid_t fork(void) {
    if (fails()) return -1;
    return REAL(fork)();
}

/* A wrapper cannot return from a real vfork; a fork may stand in for it. */
pid_t vfork(void) {
    if (fails()) return -1;
    return REAL(fork)();
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                char *const argv[], char *const environment[]) {
    if (fails()) return errno;
    return REAL(posix_spawn)(pid, path, actions, attributes, argv, environment);
}
