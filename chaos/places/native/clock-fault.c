// Put between a process and libc by LD_PRELOAD: a wall clock that is wrong on command. BARQUE_CLOCK_FILE says how wrong,
// mapped so that a change is seen by the next call; chaos/places/fake-clocks.ts writes it. Monotonic clocks, timers and the
// times of files stay right.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t second = 1000 * 1000 * 1000;

struct skew {
	int64_t since; // ns of the true clock
	int64_t offset; // ns
	double rate;
};

// Written in the slot that is not in use, which then is put to use: no call sees half of a change.
struct control {
	uint64_t slot;
	struct skew skews[2];
};

static const struct control *control;
static int (*real_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
	const char *file = getenv("BARQUE_CLOCK_FILE");
	real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	if (!file) return;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return;
	void *memory = mmap(0, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
	if (memory != MAP_FAILED) control = memory;
	close(fd);
}

static int read_clock(clockid_t clock, struct timespec *time) {
	// By way of libc it needs no system call; before it is found, another library's start may ask.
	return real_gettime ? real_gettime(clock, time) : (int)syscall(SYS_clock_gettime, clock, time);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
	int result = read_clock(clock, time);
	if (result != 0 || !control || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
	const struct skew *skew = &control->skews[__atomic_load_n(&control->slot, __ATOMIC_ACQUIRE) & 1];
	if (skew->offset == 0 && skew->rate == 1) return result;
	int64_t now = time->tv_sec * second + time->tv_nsec;
	int64_t gained = (double)(now - skew->since) * (skew->rate - 1);
	int64_t shown = now + skew->offset + gained;
	if (shown < 0) shown = 0;
	time->tv_sec = shown / second;
	time->tv_nsec = shown % second;
	return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
	struct timespec now;
	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
	time->tv_sec = now.tv_sec;
	time->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *result) {
	struct timespec now;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
	if (result) *result = now.tv_sec;
	return now.tv_sec;
}

int timespec_get(struct timespec *time, int base) {
	return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}
