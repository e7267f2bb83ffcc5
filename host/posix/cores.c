/* SPDX-License-Identifier: Apache-2.0
 *
 * cores.c: how many threads are worth starting: the least of
 *
 *     physical cores that the affinity mask allows (two hyperthreads of a core count once: the matrix kernels
 *     keep the vector units busy, and a second thread on them only takes cache);
 *     the CPU quota of the control groups the process is in, version 2 and version 1, rounded down: a group
 *     over its quota is stopped whole, in the middle of a piece of work.
 *
 * Everything read from /proc and /sys is optional; what is not there does not limit. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/posix/posix.h"

#if defined(__linux__)

/* Reads the first line of a small file, without its newline. */
static int read_line(const char *path, char *line, int size) {
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    int found = fgets(line, size, file) != NULL;
    fclose(file);
    if (found) line[strcspn(line, "\n")] = 0;
    return found;
}

/* The first CPU of those sharing the core of cpu stands for the core; cpu itself where /sys does not tell. */
static int first_sibling(int cpu) {
    char path[96], line[256];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    if (!read_line(path, line, sizeof line)) return cpu;
    char *end;
    long first = strtol(line, &end, 10);
    return end == line || first < 0 || first > cpu ? cpu : (int)first;
}

static uint32_t allowed_cores(void) {
    enum { MOST_CPUS = 8192 };
    cpu_set_t *allowed = CPU_ALLOC(MOST_CPUS), *cores = CPU_ALLOC(MOST_CPUS);
    size_t size = CPU_ALLOC_SIZE(MOST_CPUS);
    uint32_t n = 0;
    if (allowed && cores && !sched_getaffinity(0, size, allowed)) {
        CPU_ZERO_S(size, cores);
        for (int cpu = 0; cpu < MOST_CPUS; cpu++)
            if (CPU_ISSET_S(cpu, size, allowed)) CPU_SET_S(first_sibling(cpu), size, cores);
        n = (uint32_t)CPU_COUNT_S(size, cores);
    }
    CPU_FREE(allowed);
    CPU_FREE(cores);
    return n;
}

/* quota and period in microseconds -> whole CPUs, at least 1. */
static void limit(uint32_t *n, long long quota, long long period) {
    if (quota <= 0 || period <= 0) return;
    long long whole = quota / period;
    if (whole < 1) whole = 1;
    if (whole < (long long)*n) *n = (uint32_t)whole;
}

/* "max" and "-1", which mean no quota, come out as 0 and -1. */
static void limit_v2(uint32_t *n, const char *directory) {
    char path[4200], line[128], *end;
    snprintf(path, sizeof path, "%s/cpu.max", directory);
    if (!read_line(path, line, sizeof line)) return;
    long long quota = strtoll(line, &end, 10);
    limit(n, quota, strtoll(end, NULL, 10));
}

static void limit_v1(uint32_t *n, const char *directory) {
    char path[4200], line[128];
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", directory);
    if (!read_line(path, line, sizeof line)) return;
    long long quota = strtoll(line, NULL, 10);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", directory);
    if (read_line(path, line, sizeof line)) limit(n, quota, strtoll(line, NULL, 10));
}

/* A quota set on any group above binds too: walks from the group's folder up to the mount. Inside a container
 * the path in /proc/self/cgroup may not exist below the mount; the mount itself is then the group's own. */
static void limit_upwards(uint32_t *n, const char *mount, const char *group,
                          void (*limit_in)(uint32_t *, const char *)) {
    char directory[4100];
    int length = snprintf(directory, sizeof directory, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof directory) return;
    for (;;) {
        limit_in(n, directory);
        char *slash = strrchr(directory, '/');
        if (!slash || (size_t)(slash - directory) < strlen(mount)) return;
        *slash = 0;
    }
}

/* Lines of /proc/self/cgroup: "0::/path" is version 2, "4:cpu,cpuacct:/path" version 1. */
static void limit_by_groups(uint32_t *n) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) return;
    char line[4096];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        controllers++;
        if (!*controllers) {
            limit_upwards(n, "/sys/fs/cgroup", group, limit_v2);
            limit_upwards(n, "/sys/fs/cgroup/unified", group, limit_v2);
            continue;
        }
        int is_cpu = 0;
        for (char *rest = controllers, *name; (name = strsep(&rest, ","));)
            is_cpu |= !strcmp(name, "cpu");
        if (is_cpu) limit_upwards(n, "/sys/fs/cgroup/cpu", group, limit_v1);
    }
    fclose(file);
}

uint32_t mote_posix_cores(void) {
    uint32_t n = allowed_cores();
    if (!n) n = 1;
    limit_by_groups(&n);
    return n;
}

#else

uint32_t mote_posix_cores(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (uint32_t)n;
}

#endif
