// Put between a process and libc by LD_PRELOAD: a disk that goes bad on command. Only calls on files under
// BARQUE_FAULT_PATH are harmed. BARQUE_FAULT_FILE is the command, mapped so that a change is seen by the next call and
// costs nothing until then; chaos/places/disk-shim.ts writes it.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SECTOR = 512 };
enum { OK, SLOW, ERROR, TORN, FULL };

struct control {
	uint32_t fault;
	uint32_t slow_ms;
	uint32_t hits; // calls harmed, counted here
};

static volatile struct control *control;
static const char *folder;

__attribute__((constructor)) static void begin(void) {
	const char *file = getenv("BARQUE_FAULT_FILE");
	folder = getenv("BARQUE_FAULT_PATH");
	if (!file || !folder) return;
	int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0) return;
	void *memory = mmap(0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory != MAP_FAILED) control = memory;
	close(fd);
}

static uint32_t fault(void) { return control ? __atomic_load_n(&control->fault, __ATOMIC_ACQUIRE) : OK; }

static void hit(void) { __atomic_add_fetch(&control->hits, 1, __ATOMIC_RELAXED); }

static int below(const char *path, const char *top) {
	size_t length = strlen(top);
	return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == 0);
}

// The folder may be named by way of links, where the kernel tells the true path.
static int path_matches(const char *path) {
	char real[PATH_MAX];
	return below(path, folder) || (realpath(folder, real) && below(path, real));
}

static int descriptor_path(int fd, char *path) {
	char link[32] = "/proc/self/fd/", digits[12];
	int n = 0, at = strlen(link);
	for (unsigned rest = fd; n == 0 || rest > 0; rest /= 10) digits[n++] = '0' + rest % 10;
	while (n > 0) link[at++] = digits[--n];
	ssize_t length = readlink(link, path, PATH_MAX - 1);
	if (length < 0) return 0;
	path[length] = 0;
	return 1;
}

static int fd_matches(int fd) {
	char path[PATH_MAX];
	int before = errno, matches = fd >= 0 && descriptor_path(fd, path) && path_matches(path);
	errno = before;
	return matches;
}

// In small slices, so that a healed disk is quick at once.
static void dawdle(void) {
	struct timespec slice = {0, 5 * 1000 * 1000};
	for (uint32_t waited = 0; waited < control->slow_ms && fault() == SLOW; waited += 5)
		syscall(SYS_nanosleep, &slice, 0);
}

static int fail(int code) {
	hit();
	errno = code;
	return -1;
}

static int sync_call(long number, int fd) {
	uint32_t now = fault();
	if ((now == SLOW || now == ERROR) && fd_matches(fd)) {
		if (now == ERROR) return fail(EIO);
		hit();
		dawdle();
	}
	return syscall(number, fd);
}

int fsync(int fd) { return sync_call(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_call(SYS_fdatasync, fd); }

// Where an unplaced write goes; 0 for what has no places.
static off_t place_of(int fd) {
	int flags = syscall(SYS_fcntl, fd, F_GETFL);
	off_t place = syscall(SYS_lseek, fd, 0, flags >= 0 && (flags & O_APPEND) ? SEEK_END : SEEK_CUR);
	return place < 0 ? 0 : place;
}

// Part of the bytes, to the end of any sector of the file (disks write sectors whole), and then nothing ever again.
static void tear(int fd, const struct iovec *parts, int count, off_t offset) {
	uint32_t expected = TORN;
	// One call of one thread, and not again in the process that comes after this one.
	if (!__atomic_compare_exchange_n(&control->fault, &expected, OK, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return;
	hit();
	uint64_t random = 0, total = 0;
	while (syscall(SYS_getrandom, &random, sizeof random, 0) != sizeof random) {}
	for (int i = 0; i < count; i++) total += parts[i].iov_len;
	uint64_t begin = offset < 0 ? place_of(fd) : offset;
	uint64_t end = (begin + random % total) / SECTOR * SECTOR;
	uint64_t keep = end > begin ? end - begin : 0;
	for (int i = 0; i < count && keep > 0; i++) {
		size_t length = parts[i].iov_len < keep ? parts[i].iov_len : keep;
		ssize_t done = offset < 0 ? syscall(SYS_write, fd, parts[i].iov_base, length)
		                          : syscall(SYS_pwrite64, fd, parts[i].iov_base, length, offset);
		if (done <= 0) break;
		keep -= done;
		if (offset >= 0) offset += done;
	}
	kill(getpid(), SIGKILL);
	for (;;) pause();
}

// Whether the call is to be made; offset -1: where the file stands.
static int may_write(int fd, const struct iovec *parts, int count, off_t offset) {
	uint32_t now = fault();
	if ((now != TORN && now != FULL) || !fd_matches(fd)) return 1;
	if (now == FULL) {
		fail(ENOSPC);
		return 0;
	}
	size_t total = 0;
	for (int i = 0; i < count; i++) total += parts[i].iov_len;
	if (total > 1) tear(fd, parts, count, offset);
	return 1;
}

ssize_t write(int fd, const void *data, size_t length) {
	struct iovec part = {(void *)data, length};
	return may_write(fd, &part, 1, -1) ? syscall(SYS_write, fd, data, length) : -1;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
	struct iovec part = {(void *)data, length};
	return may_write(fd, &part, 1, offset) ? syscall(SYS_pwrite64, fd, data, length, offset) : -1;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return pwrite(fd, data, length, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
	return may_write(fd, parts, count, -1) ? syscall(SYS_writev, fd, parts, count) : -1;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
	return may_write(fd, parts, count, offset) ? syscall(SYS_pwritev, fd, parts, count, offset, 0) : -1;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
	return pwritev(fd, parts, count, offset);
}

// LevelDB writes by way of stdio, whose own writes do not come along here.
static int may_put(FILE *file, const void *data, size_t length) {
	struct iovec parts[2] = {{file->_IO_write_base, __fpending(file)}, {(void *)data, length}};
	int before = errno, fd = fileno(file);
	errno = before;
	return parts[0].iov_len + length == 0 || may_write(fd, parts, 2, -1);
}

#undef fwrite_unlocked

#define PUT(name)                                                                                                      \
	size_t name(const void *data, size_t size, size_t count, FILE *file) {                                         \
		static size_t (*real)(const void *, size_t, size_t, FILE *);                                           \
		if (!real) real = dlsym(RTLD_NEXT, #name);                                                             \
		return may_put(file, data, size * count) ? real(data, size, count, file) : 0;                          \
	}

#define FLUSH(name)                                                                                                    \
	int name(FILE *file) {                                                                                         \
		static int (*real)(FILE *);                                                                            \
		if (!real) real = dlsym(RTLD_NEXT, #name);                                                             \
		return !file || may_put(file, 0, 0) ? real(file) : EOF;                                                \
	}

PUT(fwrite)
PUT(fwrite_unlocked)
FLUSH(fflush)
FLUSH(fflush_unlocked)

int fallocate(int fd, int mode, off_t offset, off_t length) {
	if (fault() == FULL && fd_matches(fd)) return fail(ENOSPC);
	return syscall(SYS_fallocate, fd, mode, offset, length);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return fallocate(fd, mode, offset, length); }

int posix_fallocate(int fd, off_t offset, off_t length) { return fallocate(fd, 0, offset, length) == 0 ? 0 : errno; }

int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

// A new file needs space, too.
static int would_create(int directory, const char *path) {
	char full[PATH_MAX];
	if (syscall(SYS_faccessat, directory, path, F_OK) == 0) return 0;
	if (path[0] == '/') return path_matches(path);
	if (directory != AT_FDCWD ? !descriptor_path(directory, full) : !getcwd(full, sizeof full)) return 0;
	if (strlen(full) + 1 + strlen(path) >= sizeof full) return 0;
	strcat(strcat(full, "/"), path);
	return path_matches(full);
}

static int open_call(int directory, const char *path, int flags, mode_t mode) {
	if ((flags & O_CREAT) && fault() == FULL && would_create(directory, path)) return fail(ENOSPC);
	return syscall(SYS_openat, directory, path, flags, mode);
}

#define FOPEN(name)                                                                                                    \
	FILE *name(const char *path, const char *mode) {                                                               \
		static FILE *(*real)(const char *, const char *);                                                      \
		if (!real) real = dlsym(RTLD_NEXT, #name);                                                             \
		if (mode[0] == 'r' || fault() != FULL || !would_create(AT_FDCWD, path)) return real(path, mode);       \
		fail(ENOSPC);                                                                                          \
		return 0;                                                                                              \
	}

FOPEN(fopen)
FOPEN(fopen64)

static mode_t mode_of(int flags, va_list *rest) {
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(*rest, mode_t) : 0;
}

#define OPEN(flags)                                                                                                    \
	va_list rest;                                                                                                  \
	va_start(rest, flags);                                                                                         \
	mode_t mode = mode_of(flags, &rest);                                                                           \
	va_end(rest);

int open(const char *path, int flags, ...) {
	OPEN(flags)
	return open_call(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
	OPEN(flags)
	return open_call(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
	OPEN(flags)
	return open_call(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) {
	OPEN(flags)
	return open_call(directory, path, flags, mode);
}
