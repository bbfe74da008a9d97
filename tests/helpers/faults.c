// Calls of the system below one folder, counted; at one of them the process is killed, fails or gets a signal.
// Loaded before the C library (LD_PRELOAD), so that Python, torch and the core all come through here.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KILL = -1, INTERRUPT = -2, TERMINATE = -3 };  // other actions are numbers of errors
enum { MOST_FILES = 4096, LONGEST = 4096 };

static char root[LONGEST];
static char mine[MOST_FILES];  // descriptors below the root
static int armed, at, action, seen;
static char last[64];

void faults_arm(const char* folder, int number, int what) {
  strncpy(root, folder, LONGEST - 1);
  memset(mine, 0, sizeof mine);
  at = number;
  action = what;
  seen = 0;
  last[0] = 0;
  armed = 1;
}

int faults_disarm(void) {
  armed = 0;
  return seen;
}

const char* faults_last(void) { return last; }

// Whether this call is to fail; a signal comes before the call, which then goes on.
static int strikes(const char* name) {
  if (++seen != at) return 0;
  strncpy(last, name, sizeof last - 1);
  if (action == KILL) raise(SIGKILL);
  if (action == INTERRUPT || action == TERMINATE) {
    raise(action == INTERRUPT ? SIGINT : SIGTERM);
    return 0;
  }
  errno = action;
  return 1;
}

static int is_below(const char* path, int folder) {
  if (!armed || !path) return 0;
  if (path[0] == '/') return strncmp(path, root, strlen(root)) == 0;
  return folder >= 0 && folder < MOST_FILES && mine[folder];
}

static int is_mine(int file) { return armed && file >= 0 && file < MOST_FILES && mine[file]; }

static void note(int file) {
  if (file >= 0 && file < MOST_FILES) mine[file] = 1;
}

#define TRUE_CALL(name) \
  static __typeof__(&name) true_call; \
  if (!true_call) true_call = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                                \
  int name(const char* path, int flags, ...) {                    \
    TRUE_CALL(name);                                              \
    va_list rest;                                                 \
    va_start(rest, flags);                                        \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                 \
    int below = is_below(path, -1);                               \
    if (below && strikes("open")) return -1;                      \
    int file = true_call(path, flags, mode);                      \
    if (below) note(file);                                        \
    return file;                                                  \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                              \
  int name(int folder, const char* path, int flags, ...) {        \
    TRUE_CALL(name);                                              \
    va_list rest;                                                 \
    va_start(rest, flags);                                        \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                 \
    int below = is_below(path, folder);                           \
    if (below && strikes("openat")) return -1;                    \
    int file = true_call(folder, path, flags, mode);              \
    if (below) note(file);                                        \
    return file;                                                  \
  }
OPENAT(openat)
OPENAT(openat64)

#define OF_FILE(result, name, parameters, arguments)              \
  result name parameters {                                        \
    TRUE_CALL(name);                                              \
    if (is_mine(file) && strikes(#name)) return -1;               \
    return true_call arguments;                                   \
  }
OF_FILE(ssize_t, write, (int file, const void* bytes, size_t count), (file, bytes, count))
OF_FILE(ssize_t, pwrite64, (int file, const void* bytes, size_t count, off64_t where), (file, bytes, count, where))
OF_FILE(ssize_t, writev, (int file, const struct iovec* parts, int count), (file, parts, count))
OF_FILE(int, fchmod, (int file, mode_t mode), (file, mode))
OF_FILE(int, fchown, (int file, uid_t user, gid_t group), (file, user, group))
OF_FILE(int, ftruncate64, (int file, off64_t size), (file, size))

// The disk itself is not the test's concern, and waiting for it takes most of the time.
int fsync(int file) { return is_mine(file) && strikes("fsync") ? -1 : 0; }

int close(int file) {
  TRUE_CALL(close);
  int below = is_mine(file);
  int fails = below && strikes("close");
  if (below) mine[file] = 0;
  int result = true_call(file);  // a descriptor is closed, whatever close returns
  if (!fails) return result;
  errno = action;
  return -1;
}

#define OF_PATH(name, parameters, arguments, path, folder)        \
  int name parameters {                                           \
    TRUE_CALL(name);                                              \
    if (is_below(path, folder) && strikes(#name)) return -1;      \
    return true_call arguments;                                   \
  }
OF_PATH(rename, (const char* from, const char* to), (from, to), to, -1)
OF_PATH(link, (const char* from, const char* to), (from, to), to, -1)
OF_PATH(linkat, (int a, const char* from, int b, const char* to, int flags), (a, from, b, to, flags), to, b)
OF_PATH(unlink, (const char* path), (path), path, -1)
OF_PATH(unlinkat, (int folder, const char* path, int flags), (folder, path, flags), path, folder)
OF_PATH(mkdir, (const char* path, mode_t mode), (path, mode), path, -1)
OF_PATH(rmdir, (const char* path), (path), path, -1)
OF_PATH(chmod, (const char* path, mode_t mode), (path, mode), path, -1)
