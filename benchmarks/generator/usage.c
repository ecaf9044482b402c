/* What the server used, from /proc, and the generator itself. The server is the trees of processes
   that were named: CPU seconds (with those of children that have ended), and memory. */
#include "generator.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MAX_NAMED = 16 };

static int pids[MAX_NAMED], npids, aside;

void watch(int pid) {
    if (npids == MAX_NAMED) die("too many --pid");
    pids[npids++] = pid;
}

void watch_aside(int pid) {
    aside = pid;
}

static int proc_pids[65536], proc_ppid[65536], found;
static double proc_cpu[65536];

static void scan_proc(void) {
    DIR *d = opendir("/proc");
    struct dirent *e;
    found = 0;
    double hz = sysconf(_SC_CLK_TCK);
    while ((e = readdir(d))) {
        int pid = atoi(e->d_name);
        if (pid <= 0) continue;
        char fn[64], b[1024];
        snprintf(fn, sizeof fn, "/proc/%d/stat", pid);
        int fd = open(fn, O_RDONLY);
        if (fd < 0) continue;
        int n = read(fd, b, sizeof b - 1);
        close(fd);
        if (n <= 0) continue;
        b[n] = 0;
        char *p = strrchr(b, ')');
        if (!p) continue;
        int pp;
        unsigned long u, s;
        long cu, cs;
        if (sscanf(p + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &pp, &u, &s,
                   &cu, &cs) != 5)
            continue;
        if (found < 65536) {
            proc_pids[found] = pid;
            proc_ppid[found] = pp;
            proc_cpu[found] = (u + s + cu + cs) / hz;
            found++;
        }
    }
    closedir(d);
}

static void add_mem(int pid, struct usage *u) {
    char fn[64], l[256];
    snprintf(fn, sizeof fn, "/proc/%d/smaps_rollup", pid);
    FILE *f = fopen(fn, "r");
    if (!f) return;
    long v;
    while (fgets(l, sizeof l, f)) {
        if (sscanf(l, "Rss: %ld", &v) == 1)
            u->rss += v;
        else if (sscanf(l, "Pss: %ld", &v) == 1)
            u->pss += v;
    }
    fclose(f);
}

static double sched_cpu(int pid) {
    char dn[64];
    snprintf(dn, sizeof dn, "/proc/%d/task", pid);
    DIR *d = opendir(dn);
    if (!d) return 0;
    double t = 0;
    struct dirent *e;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.') continue;
        char fn[128];
        snprintf(fn, sizeof fn, "/proc/%d/task/%.20s/schedstat", pid, e->d_name);
        FILE *f = fopen(fn, "r");
        if (!f) continue;
        unsigned long long ns;
        if (fscanf(f, "%llu", &ns) == 1) t += ns / 1e9;
        fclose(f);
    }
    closedir(d);
    return t;
}

struct usage usage_now(int mem) {
    struct usage u = {0};
    static char mark[65536];
    scan_proc();
    memset(mark, 0, sizeof mark);
    for (int i = 0; i < found; i++)
        if (proc_pids[i] == aside) u.aside = proc_cpu[i];
    for (int i = 0; i < found; i++)
        for (int k = 0; k < npids; k++)
            if (proc_pids[i] == pids[k]) mark[i] = 1;
    for (int again = 1; again;) {
        again = 0;
        for (int i = 0; i < found; i++)
            if (!mark[i])
                for (int j = 0; j < found; j++)
                    if (mark[j] && proc_pids[j] == proc_ppid[i]) {
                        mark[i] = 1;
                        again = 1;
                        break;
                    }
    }
    for (int i = 0; i < found; i++)
        if (mark[i]) {
            u.cpu += proc_cpu[i];
            u.cpu_sched += sched_cpu(proc_pids[i]);
            u.procs++;
            if (mem) add_mem(proc_pids[i], &u);
        }
    return u;
}

double server_cpu(void) {
    double cpu = 0;
    for (int i = 0; i < npids; i++) {
        clockid_t clock;
        struct timespec t;
        if (clock_getcpuclockid(pids[i], &clock) || clock_gettime(clock, &t))
            die("the server has ended");
        cpu += (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    }
    return cpu;
}

double self_cpu(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_utime.tv_usec / 1e6 + r.ru_stime.tv_sec +
           r.ru_stime.tv_usec / 1e6;
}
