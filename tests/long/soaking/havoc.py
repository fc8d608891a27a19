"""What is done to the servers and to the tokens meanwhile."""

import asyncio
import os
import signal
import time

from .caller import NOTICE
from .setting import WEB


async def kill(setting, tally, chance, every):
    """Ends a server now and then: a child of the gateway, or one over HTTP, which comes back after a while."""
    while not await pause(setting, every * chance.expovariate(1)):
        servers = setting.servers()
        name = chance.choice([*sorted(set(servers.values())), *WEB])
        # One of a server's processes, of which it may have one for each caller who can be asked.
        pid = None if name in WEB else chance.choice([pid for pid in servers if servers[pid] == name])
        tally.ended[name].append(time.monotonic())
        if pid is None:
            web = setting.web[name]
            web.end()
            await pause(setting, chance.choice([0, 2]) * chance.random())
            await asyncio.to_thread(web.start, setting.fixture)
            tally.counts["servers over HTTP restarted"] += 1
        else:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            tally.counts["servers over stdio killed"] += 1
        tally.ended[name].append(time.monotonic())


async def revoke(setting, tally, chance, callers, every):
    """Takes a caller's token and gives it another; the old one must be dead from then on."""
    while not await pause(setting, every * chance.expovariate(1)):
        caller = chance.choice(callers)
        old = caller.token
        new = await asyncio.to_thread(setting.issue, caller.account, caller.server)
        await asyncio.to_thread(setting.revoke, old)
        tally.counts["tokens revoked"] += 1
        await asyncio.sleep(NOTICE + 0.1)
        # Whoever still has it is refused.
        await caller.ask("tools/list", {}, token=old)
        caller.token = new


async def pause(setting, seconds):
    """Waits; whether the soak is over."""
    try:
        await asyncio.wait_for(setting.stopping.wait(), seconds)
    except TimeoutError:
        return False
    return True
