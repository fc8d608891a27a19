"""What there is before anything is disturbed: which servers, what each lists, what the gateway can do."""

import asyncio

from .caller import Asked, Caller
from .setting import OWNER
from .work import LISTS, WATCHED, walk

# What a gateway that is whole offers.
FEATURES = {"sessions", "listen", "subscribe", "completion", "asks"}


async def learn(setting, tally, chance):
    """Asks as one who may do everything; gives what is missing of what there should be."""

    async def caller(server, modern):
        caller = Caller(0, setting, tally, chance, OWNER, server, modern)
        caller.token = await asyncio.to_thread(setting.issue, OWNER, server)
        return caller

    every = [await caller(server, True) for server in OWNER.servers()]
    await asyncio.gather(*(lists_of(setting, caller) for caller in every))
    everything = await caller(None, True)
    for method in LISTS:
        setting.order[method], _ = await walk(everything, method, lambda _: {})
    await features(setting, everything, await caller("old", False))
    for caller in [*every, everything]:
        caller.wire.close()
    return sorted(set(OWNER.servers()) - setting.there) + sorted(FEATURES - setting.features)


async def lists_of(setting, caller):
    for method in ("tools/list", "prompts/list"):
        found, complete = await walk(caller, method, lambda _: {})
        if complete:
            setting.catalog[caller.server, method] = set(found)
    if (caller.server, "tools/list") in setting.catalog:
        setting.there.add(caller.server)


async def features(setting, modern, legacy):
    if setting.asks:
        setting.features.add("asks")
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "soak", "version": "1"}}
    asked = await legacy.ask("initialize", hello)
    legacy.session = asked.headers.get("mcp-session-id")
    if legacy.session:
        setting.features.add("sessions")
    prompt = {"type": "ref/prompt", "name": "test_prompt_with_arguments"}
    completed = {"ref": prompt, "argument": {"name": "arg1", "value": "p"}}
    for feature, method, params in (
        ("subscribe", "resources/subscribe", {"uri": WATCHED}),
        ("completion", "completion/complete", completed),
    ):
        asked = await legacy.ask(method, params)
        if asked and asked.result() is not None:
            setting.features.add(feature)
    if legacy.session:
        await legacy.about("DELETE", session=legacy.session)
    legacy.wire.close()
    asked = Asked(1, "subscriptions/listen", modern.token, set(), agent="soak/learn")
    headers, body = modern.request(asked, {"notifications": {"toolsListChanged": True}}, {})
    exchange = await (await modern.wire.send("POST", "/mcp", headers, body)).head()
    if exchange.streams():
        setting.features.add("listen")
    exchange.cut()
