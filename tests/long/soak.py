"""Soaks a gateway: many callers of both eras for minutes, servers that die, tokens that are revoked.

No caller may get a wrong answer: another caller's nonce, a result for a forbidden call, an entry outside
its grant, an answer under an id it did not ask, two answers, an answer that the audit trail does not have.
That a server ended or is away is an answer; it is counted. After it, nothing may be left: no session, no
process, no descriptor; and memory is back where it was after the warm-up, but for `MARGIN`.

    python3 tests/long/soak.py target/debug/portcullis [--seconds 600] [--callers 64] [--seed N]

The examples `fixture-upstream` and `hostile-upstream` must be built beside the binary. What is chosen is
chosen by the seed; how the callers interleave is not.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from processes import children, descriptors, lives, marked, resident, sockets, stat, until
from soaking.caller import Caller
from soaking.havoc import kill, revoke
from soaking.learn import learn
from soaking.record import verify
from soaking.setting import ACCOUNTS, Setting
from soaking.tally import Tally
from soaking.work import live

# Memory that may be in use at the end beyond what was after the warm-up: what an allocator holds back.
MARGIN = 24 << 20
# The store's file, and the most descriptors that its connections have: one that writes and four that read, each
# with the file, its log and its index.
STORE, MOST_OF_STORE = "portcullis.db", 15
# How long all may take to be as it was. A connection of its own that a server has for who can be asked is kept
# for a minute, and what was sent over last, once more up to two.
QUIET = 240


async def phase(setting, tally, chance, callers, seconds):
    """A while of everything at once."""
    setting.stopping.clear()
    tasks = [asyncio.create_task(live(caller)) for caller in callers]
    tasks.append(asyncio.create_task(kill(setting, tally, chance, 5)))
    tasks.append(asyncio.create_task(revoke(setting, tally, chance, callers, 4)))
    end = time.monotonic() + seconds
    while time.monotonic() < end and not any(task.done() for task in tasks):
        await asyncio.sleep(0.1)
    setting.stopping.set()
    # A caller that fails is a fault of ours.
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def wind_down(setting, tally, callers):
    """Ends what is still open, as its owners; nobody may know a session after that."""
    by_owner = {caller.owner(): caller for caller in callers if not caller.modern}
    for session, owner in list(tally.sessions.items()):
        caller = by_owner[owner]
        caller.session = session
        asked, _ = await caller.about("DELETE", session=session)
        if asked.status not in (204, 404):
            caller.violation("a session was not ended", asked)
        tally.sessions.pop(session)
    alive = 0
    for session, owner in tally.opened.items():
        caller = by_owner[owner]
        caller.session = session
        asked = await caller.ask("ping", {})
        alive += asked is None or asked.status != 404
    for caller in callers:
        caller.session = None
        caller.wire.close()
    if alive:
        tally.violation("sessions are left", f"{alive} of {len(tally.opened)}")
    tally.counts["sessions that are known to be over"] += len(tally.opened)
    tally.opened.clear()


class Reading:
    """What the gateway holds. Connections to servers are kept for a while, and therefore counted apart."""

    def __init__(self, setting):
        pid, port = setting.gateway.process.pid, setting.gateway.port
        ports = {web.port: name for name, web in setting.web.items()}
        self.servers = sorted(setting.servers().values())
        self.dead = [child for child in children(pid) if (found := stat(child)) and found[0] == "Z"]
        connections = sockets(pid)
        self.callers = sum(own == port and other != 0 for own, other, _ in connections)
        self.to = Counter(f"{ports[other]} {state}" for _, other, state in connections if other in ports)
        self.web = self.to.total()
        # The store's readers come as they are needed and stay: they are held to what they may be at most.
        files = descriptors(pid).values()
        self.store = sum(f"/{STORE}" in file for file in files)
        self.descriptors = len(files) - self.callers - self.web - self.store
        self.memory = resident(pid)

    def quiet(self):
        return not self.dead and not self.callers

    def __str__(self):
        return (
            f"{self.memory / (1 << 20):.1f} MiB, {len(self.servers)} servers, {self.callers} callers, "
            f"{self.web} connections to servers ({dict(self.to)}), {self.store} descriptors of the store, "
            f"{self.descriptors} others"
        )


async def settle(what, holds):
    """Waits for what must come to hold once nobody asks any more, and gives the reading in which it does."""
    end = time.monotonic() + QUIET
    while not holds(reading := what()):
        if time.monotonic() > end:
            return reading, False
        await asyncio.sleep(0.5)
    return reading, True


async def soak(setting, tally, chance, options):
    """The warm-up, the soak, and what is left after it."""
    missing = await learn(setting, tally, chance)
    say(f"not offered: {', '.join(missing) or 'nothing'}")
    if missing and not options.partial:
        tally.violation("not offered", ", ".join(missing))
    callers = await everybody(setting, tally, chance, options.callers)
    servers = Reading(setting).servers
    say(f"{len(callers)} callers before {', '.join(servers)}")

    await phase(setting, tally, chance, callers, min(30, options.seconds / 4))
    await wind_down(setting, tally, callers)
    last = []

    def steady(reading):
        last.append((reading.descriptors, reading.web))
        return reading.quiet() and reading.servers == servers and len(last) > 20 and len(set(last[-20:])) == 1

    before, _ = await settle(lambda: Reading(setting), steady)
    say(f"after the warm-up: {before}")

    await phase(setting, tally, chance, callers, options.seconds)
    say(f"after the soak: {Reading(setting)}")
    await wind_down(setting, tally, callers)
    after, _ = await settle(
        lambda: Reading(setting),
        lambda now: now.quiet()
        and now.servers == servers
        and now.descriptors <= before.descriptors
        and now.web <= before.web
        and now.memory <= before.memory + MARGIN,
    )
    say(f"in the end: {after}")
    if after.servers != servers:
        tally.violation("processes are left", f"{after.servers}, not {servers}")
    if after.dead:
        tally.violation("processes are dead and not buried", after.dead)
    if after.callers or after.descriptors > before.descriptors or after.web > before.web:
        tally.violation("descriptors are left", f"{after}, before {before}: {descriptors(setting.gateway.process.pid)}")
    if after.store > MOST_OF_STORE:
        tally.violation("descriptors of the store are left", f"{after}, and at most {MOST_OF_STORE}")
    if after.memory > before.memory + MARGIN:
        tally.violation("memory is left", f"{after}, before {before}")


async def everybody(setting, tally, chance, number):
    """The callers: of every account, half of them of either era, a quarter at the endpoint of one server."""
    callers = []
    for place in range(1, number + 1):
        account = ACCOUNTS[place % len(ACCOUNTS)]
        there = [server for server in account.servers() if server in setting.there]
        server = chance.choice(there) if place % 4 == 0 or place % 7 == 0 else None
        modern = place // len(ACCOUNTS) % 2 == 0
        caller = Caller(place, setting, tally, random.Random(chance.random()), account, server, modern)
        caller.token = await asyncio.to_thread(setting.issue, account, server)
        callers.append(caller)
    return callers


def say(text, began=time.monotonic()):
    print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)


def summary(tally, decisions, open_ended):
    def table(counts):
        return "".join(f"  {count:8} {what}\n" for what, count in counts.most_common())

    return (
        f"what happened:\n{table(tally.counts)}told besides answers:\n{table(tally.heard)}"
        f"errors that are allowed:\n{table(tally.errors)}"
        f"the trail: {decisions} decisions, {open_ended} of them of requests that nobody waited for; "
        f"{len(tally.answered)} answers were looked up in it\n"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=lambda text: str(Path(text).resolve(strict=True)))
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--partial", action="store_true", help="leave out what this build does not offer")
    options = parser.parse_args()
    say(f"seed {options.seed}")
    chance, tally = random.Random(options.seed), Tally(options.seed)
    with tempfile.TemporaryDirectory() as directory:
        setting = Setting(options.binary, Path(directory), options.seed)
        gateway = setting.gateway
        try:
            setting.start()
            asyncio.run(soak(setting, tally, chance, options))
            status, _ = gateway.end(signal.SIGTERM)
            if status != 0:
                tally.violation("the end", f"told to stop, the gateway ended with {status}")
            until(lambda: f"the end of {marked(setting.mark)}", lambda: not any(map(lives, marked(setting.mark))))
            decisions, open_ended = verify(gateway.trail, tally)
        except BaseException:
            if gateway.process and gateway.process.poll() is None:
                gateway.process.kill()
            sys.stderr.write("\n".join(tally.wrong) + "\n")
            sys.stderr.write(gateway.log_file.read_text(encoding="utf-8", errors="replace")[-8000:])
            raise
        finally:
            setting.end()
    print(summary(tally, decisions, open_ended))
    if tally.kinds:
        wrong = "\n".join(tally.wrong)
        sys.exit(f"WRONG (seed {options.seed}): {dict(tally.kinds)}\n{wrong}")
    print("no wrong answer, and nothing is left")


if __name__ == "__main__":
    main()
