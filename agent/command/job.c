#define _GNU_SOURCE /* pipe2() */
#include "command/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/span.h"
#include "clock.h"
#include "command/tee.h"

enum {
	STATUS_NOT_EXECUTABLE = 126,
	STATUS_NOT_FOUND = 127,
	STATUS_SIGNAL = 128,
};

/* What ends a process, and what is addressed to the command, which nobody can name but through us. */
static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

struct run {
	struct job *job;
	struct tee *tee; /* NULL: none */
	pid_t pid;
	bool is_running;
	int64_t started_ns;
	sigset_t waited; /* passed_on and SIGCHLD; blocked, and fetched one by one */
	sigset_t mask_before;
	struct sigaction child_before, pipe_before;
};

static void signals_take(struct run *run)
{
	struct sigaction as_ever = {.sa_handler = SIG_DFL}, ignored = {.sa_handler = SIG_IGN};

	sigemptyset(&run->waited);
	sigaddset(&run->waited, SIGCHLD);
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		sigaddset(&run->waited, passed_on[i]);
	sigprocmask(SIG_BLOCK, &run->waited, &run->mask_before);
	/* Where it was ignored, the kernel would tell no one how the command ended. */
	sigaction(SIGCHLD, &as_ever, &run->child_before);
	sigaction(SIGPIPE, &ignored, &run->pipe_before);
}

static void signals_restore(const struct run *run)
{
	sigaction(SIGCHLD, &run->child_before, NULL);
	sigaction(SIGPIPE, &run->pipe_before, NULL);
	sigprocmask(SIG_SETMASK, &run->mask_before, NULL);
}

/* In the child; only comes back where the command could not be run: the errno goes to the parent. */
static void child_exec(const struct run *run, int failure)
{
	int error;
	ssize_t written;

	if (run->tee == NULL || dup2(run->tee->job_end, STDOUT_FILENO) >= 0) {
		signals_restore(run);
		execvp(run->job->command[0], run->job->command);
	}
	error = errno;
	written = write(failure, &error, sizeof error);
	_exit(written == sizeof error ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

/* The child's errno, or 0 when the command runs: then its end of the pipe is closed by execve(). */
static int failure_read(int failure)
{
	int error;
	ssize_t len;

	do
		len = read(failure, &error, sizeof error);
	while (len < 0 && errno == EINTR);
	return len == sizeof error ? error : 0;
}

/* 0, or an errno. */
static int job_start(struct run *run)
{
	int failure[2], error = 0;

	if (pipe2(failure, O_CLOEXEC) < 0)
		return errno;
	run->pid = fork();
	if (run->pid == 0)
		child_exec(run, failure[1]);
	if (run->pid < 0)
		error = errno;
	close(failure[1]);
	if (run->pid > 0) {
		run->is_running = true;
		error = failure_read(failure[0]);
	}
	close(failure[0]);
	return error;
}

static void job_take_status(struct job *job, int status, const struct rusage *usage)
{
	if (WIFSIGNALED(status)) {
		job->signal = WTERMSIG(status);
		job->exit_status = STATUS_SIGNAL + job->signal;
	} else {
		job->exit_status = WEXITSTATUS(status);
	}
	job->max_rss = (int64_t)usage->ru_maxrss * 1024;
}

/* As process 1 of a container we have children that we did not make. */
static void reap(struct run *run)
{
	struct rusage usage;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		if (pid != run->pid)
			continue;
		run->is_running = false;
		run->job->duration_ns = clock_monotonic_ns() - run->started_ns;
		job_take_status(run->job, status, &usage);
		if (run->tee != NULL)
			tee_stop(run->tee);
	}
}

static bool is_copying(const struct run *run)
{
	return run->tee != NULL && !atomic_load(&run->tee->is_done);
}

/* Those of the terminal reach the command too; but when it hangs up, the leader of its session alone hears of that. */
static bool reaches_command(int number, const siginfo_t *info)
{
	return info->si_code == SI_KERNEL && (number != SIGHUP || getsid(0) != getpid());
}

static void run_to_end(struct run *run)
{
	while (run->is_running || is_copying(run)) {
		siginfo_t info;
		int number = sigwaitinfo(&run->waited, &info);

		if (number == SIGCHLD)
			reap(run);
		else if (number > 0 && !run->is_running)
			break; /* somebody does not take the output, and we are asked to end */
		else if (number > 0 && !reaches_command(number, &info))
			kill(run->pid, number);
	}
}

static void job_fail(struct job *job, int error)
{
	job->error = error;
	job->exit_status = error == ENOENT || error == ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
	fprintf(stderr, "statsidecar exec: %s: %s\n", job->command[0], strerror(error));
}

void job_run(struct job *job)
{
	/* Not on the stack: its thread may outlast this. */
	static struct tee tee;
	struct run run = {.job = job};
	int error = 0;

	signals_take(&run);
	if (job->publisher != NULL) {
		error = tee_start(&tee, job->publisher);
		if (error != 0)
			fprintf(stderr, "statsidecar exec: --tee: %s; the output is not published\n", strerror(error));
		else
			run.tee = &tee;
	}
	run.started_ns = clock_monotonic_ns();
	error = job_start(&run);
	if (run.tee != NULL)
		tee_release(&tee);
	run_to_end(&run);
	if (error != 0)
		job_fail(job, error);
	if (run.tee != NULL) {
		job->lines_dropped = line_feed_dropped(&tee.feed, &job->lines_sent);
		job->output_error = atomic_load(&tee.is_done) ? tee.write_error : 0;
	}
	signals_restore(&run);
}
