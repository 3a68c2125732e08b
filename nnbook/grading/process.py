"""The process in which the cells of one submission ran: made anew without the cell that took it down."""

from __future__ import annotations

import time

from nnbook.grading.jail import Lost

LETHAL_EXTRAS = 2  # so many added cells may take the process down before all of them are left out
LAST_SECONDS = 0.5  # when the time is up, what is left is tried within this
REPLIES = 4  # so many results of the largest size may come back for a question


class Process:
    """Runs the steps of a submission (notebooks.Submission) in sessions of a jail.Keeper, one after the other.

    `kinds` says of each name that questions ask for whether it is a "function", a "value" or "missing"; `broken`
    why a cell failed, by its grade_id; `lost` how a cell took the process down, by its grade_id.
    """

    def __init__(self, exercise, submission, limits, keeper):
        self.exercise, self.submission, self.limits, self.keeper = exercise, submission, limits, keeper
        self.steps, self.session, self.lethal, self.received = list(submission.steps), None, 0, 0
        self.kinds, self.broken, self.lost = {}, {}, {}
        self.deadline = self.until = None
        self.names = [name for question in exercise.questions for name in question.names]

    def ready(self, parts):
        """Have a process in which every good cell ran, and give the next of the parts its share of the time."""
        while self.session is None:
            self.session = self.keeper.session(self.limits)
            self.deadline = self.deadline or time.monotonic() + self.limits.total
            self._run_steps()
        self.until, self.received = self._share(parts), self.session.channel.received

    def close(self):
        """End the process."""
        if self.session:
            self.session.close()
        self.session = None

    def leave_out(self, grade_ids):
        """Go on without these answers, and without the process that they took down."""
        self.close()
        self.steps = [step for step in self.steps if step.given or step.grade_id not in grade_ids]

    def ask(self, verb, *rest):
        """Ask the jail, within the time of this part. Raises Lost, wire.Refused."""
        seconds = min(self.limits.seconds, self.until - time.monotonic())
        reply = self.session.ask(seconds, self.limits.reply, verb, *rest)
        if self.session.channel.received - self.received > REPLIES * self.limits.reply:  # a test may keep them all
            self.close()
            raise Lost("crash", "all results of this question together are too large")
        return reply

    def _share(self, parts):
        now = time.monotonic()
        return now + max(self.deadline - now, LAST_SECONDS) / max(parts, 1)

    def _run_steps(self):
        parts = len(self.exercise.questions) + 1
        self.received, added = 0, self._share(parts)  # for all added cells together
        for step in list(self.steps):
            try:
                self.until = self._share(parts) if step.grade_id or step.given else added
                self._run(step)
            except Lost as e:
                self.session = None
                self._drop(step, e)
                return
        self.until = self._share(parts)
        kinds = self.ask("kinds", self.names)[1]
        if type(kinds) is not list or len(kinds) != len(self.names):
            self.close()
            raise Lost("crash", "what came back is no answer to what was asked")
        self.kinds = dict(zip(self.names, kinds, strict=True))

    def _run(self, step):
        verb, *rest = self.ask("run", step.code, step.grade_id or "an added cell")
        self.ask("settle")  # a process that ends or babbles now does so on this cell's account
        if verb == "raised":
            self._note(step, "{}: {}".format(*rest[:2]))

    def _note(self, step, problem):
        if step is self.submission.steps[0]:  # nothing of the submission ran before it
            raise RuntimeError(f"{self.exercise.name}: the setup of the source does not run in the jail: {problem}")
        if step.grade_id:
            self.broken.setdefault(step.grade_id, problem)
            return
        note = f"{'code of the source' if step.given else 'an added cell'} does not run: {problem}"
        self.submission.notes += [note] if note not in self.submission.notes else []

    def _drop(self, step, error):
        self._note(step, error.reason)
        self.steps.remove(step)
        if step.grade_id:
            self.lost[step.grade_id] = error
        else:
            self.lethal += LETHAL_EXTRAS if error.status == "timeout" else 1
        if self.lethal >= LETHAL_EXTRAS:
            self.steps = [s for s in self.steps if s.grade_id or s.given]
