"""What callers do: the things they ask, and what must come of each.

To add one: a function that takes a caller, and a line in `WORK` with how often it is done.
"""

import asyncio
import hashlib
import json

from .caller import META, METHOD, PARAMS, Asked
from .setting import FIXTURES, MODERN, TAGS
from .wire import Lost

WATCHED, TEMPLATE = "test://watched-resource", "test://template/{}/data"


def reach(caller, *servers):
    """One of these servers that the caller can reach, or nothing."""
    found = [server for server in caller.servers() if server in servers and server in caller.setting.there]
    return caller.chance.choice(found) if found else None


async def call(caller, server, tool, arguments, own=(), expected="yes", **more):
    params = {"name": caller.name(server, tool), "arguments": arguments}
    asked = await caller.ask("tools/call", params, own, **more)
    return caller.judge(asked, expected, server), asked


def text_of(result):
    return "".join(block.get("text", "") for block in result.get("content", []))


def echoes(caller, server, nonce):
    """A tool that gives back its arguments: name, arguments, what must be in the answer, header fields."""
    if server == "echo":
        return "echo", {"content": [{"type": "text", "text": nonce}]}, nonce, {}
    if server == "text":
        return "sha256", {"text": nonce}, hashlib.sha256(nonce.encode()).hexdigest(), {}
    if caller.chance.random() < 0.5:
        return "json_schema_2020_12_tool", {"name": nonce}, nonce, {}
    level = caller.chance.randrange(1000)
    fields = {"Mcp-Param-Region": nonce, "Mcp-Param-Level": str(level)} if caller.modern else {}
    return "test_custom_header", {"region": nonce, "level": level, "note": nonce}, nonce, fields


def manners(caller):
    """Most wait for the answer; some leave without a word, some take their request back."""
    at = caller.chance.random()
    if at < 0.06:
        return {"leave": caller.chance.random() * 0.1}
    if at < 0.10 and not caller.modern:
        return {"cancel": caller.chance.random() * 0.05}
    return {}


async def echo(caller):
    if not (server := reach(caller, "echo", "text", *FIXTURES)):
        return
    nonce = caller.tally.nonce()
    tool, arguments, due, fields = echoes(caller, server, nonce)
    result, asked = await call(caller, server, tool, arguments, {nonce}, headers=fields, **manners(caller))
    if result is not None and due not in text_of(result):
        caller.violation("not the answer to this", asked)


async def together(caller):
    """Several at once over as many connections, each under an id that everybody uses."""
    await asyncio.gather(*(echo(caller) for _ in range(3)))


async def prompt(caller):
    if not (server := reach(caller, *FIXTURES)):
        return
    nonce = caller.tally.nonce()
    params = {"name": caller.name(server, "test_prompt_with_arguments"), "arguments": {"arg1": nonce, "arg2": "x"}}
    asked = await caller.ask("prompts/get", params, {nonce}, **manners(caller))
    result = caller.judge(asked, "yes", server)
    if result is not None and nonce not in json.dumps(result):
        caller.violation("not the answer to this", asked)


def lone_fixture(caller):
    """The one fixture here: all fixtures have the same resources, and what two have is had at neither."""
    found = [server for server in caller.servers() if server in FIXTURES]
    return found[0] if len(found) == 1 and found[0] in caller.setting.there else None


async def read(caller):
    if not (server := lone_fixture(caller)):
        return
    nonce = caller.tally.nonce()
    asked = await caller.ask("resources/read", {"uri": TEMPLATE.format(nonce)}, {nonce}, **manners(caller))
    if asked and asked.result() is None and asked.error().get("code") in (PARAMS, -32002) and not caller.server:
        # At the endpoint of all servers, who has it is not known while its owner is away.
        if caller.tally.was_ended(server, asked.started - 60):
            caller.tally.error("a resource of a server that is away")
            return
    result = caller.judge(asked, "yes", server)
    if result is not None and nonce not in json.dumps(result):
        caller.violation("not the answer to this", asked)


async def notes(caller):
    if not reach(caller, "notes"):
        return
    name, text = f"note-{caller.number}", f"the text of caller {caller.number}."
    expected = caller.account.may("notes", "tool", "write_note")
    await call(caller, "notes", "write_note", {"name": name, "text": text}, expected=expected)
    if expected != "yes":
        return
    result, asked = await call(caller, "notes", "read_note", {"name": name})
    if result is not None and not result.get("isError") and text_of(result) != text:
        caller.violation("not the answer to this", asked)
    result, asked = await call(caller, "notes", "search_notes", {"query": text}, progress=True)
    if result is not None and text_of(result) not in ("", f"{name}:1: {text}"):
        caller.violation("not the answer to this", asked)


async def progress(caller):
    if server := reach(caller, *FIXTURES):
        await call(caller, server, "test_tool_with_progress", {}, progress=True, **manners(caller))


async def wait(caller):
    """Something that takes a while, and is often not waited for."""
    if not (server := reach(caller, *FIXTURES)):
        return
    at = caller.chance.random()
    after = caller.chance.random() * 0.3
    if at < 0.4:
        await call(caller, server, "test_wait", {"ms": caller.chance.randrange(500)})
    elif at < 0.7 or caller.modern:
        await call(caller, server, "test_wait", {"ms": 3000}, leave=after)
    else:
        await call(caller, server, "test_wait", {"ms": 3000}, cancel=after)


async def hang(caller):
    """What is never answered, so that only taking it back ends it."""
    if reach(caller, "echo"):
        how = {"leave": 0.2} if caller.modern else {"cancel": 0.2}
        await call(caller, "echo", "hang", {}, **how)


async def crash(caller):
    if reach(caller, "echo"):
        await call(caller, "echo", "crash", {})


async def noise(caller):
    """A server that says what is no message, and one that answers what it has not."""
    if reach(caller, "echo"):
        await call(caller, "echo", "garbage", {})
        asked = await caller.ask("tools/call", {"name": caller.name("echo", "twice"), "arguments": {}})
        # The server itself says that there is no such tool.
        if asked and asked.error().get("code") != PARAMS:
            caller.judge(asked, "yes", "echo")


# Servers that ask.


def question(caller, server):
    """A tool that asks: its name, its arguments, the nonce they hold, and the answers by method."""
    mine, back = caller.tally.nonce(), caller.tally.nonce()
    answers = {
        "elicitation/create": {"action": "accept", "content": {"username": back, "email": "a@example.com"}},
        "sampling/createMessage": {"role": "assistant", "content": {"type": "text", "text": back}, "model": "m"},
        "roots/list": {"roots": [{"uri": f"file:///{back}", "name": "r"}]},
    }
    tool, arguments = caller.chance.choice(
        [
            ("test_elicitation", {"message": mine}),
            ("test_sampling", {"prompt": mine}),
            ("test_input_required_result_list_roots", {}),
        ]
    )
    return tool, arguments, mine, back, answers


async def asks(caller):
    if not (caller.asked and caller.setting.asks and (server := reach(caller, *FIXTURES))):
        return
    tool, arguments, mine, back, answers = question(caller, server)
    # A call of a modern caller that waits for its answer to a legacy server is kept for ten minutes, which
    # is longer than we look: those are all answered.
    stay = caller.chance.random() < 0.9 or (caller.modern and server not in MODERN)
    own = {mine, back}

    def answer(method, params):
        if arguments and mine not in json.dumps(params):
            caller.violation("another's question", Asked(None, method, None, own, message=params))
        return answers[method] if stay else None

    if not caller.modern:
        result, asked = await call(caller, server, tool, arguments, own, answer=answer)
    else:
        result, asked = await rounds(caller, server, tool, arguments, own, answer, stay)
    if result is not None and back not in json.dumps(result):
        caller.violation("not the answer to this", asked)


async def rounds(caller, server, tool, arguments, own, answer, stay):
    """Answers what is required for as long as something is."""
    params, began = {"name": caller.name(server, tool), "arguments": arguments}, asyncio.get_running_loop().time()
    for number in range(10):
        asked = await caller.ask("tools/call", params, own)
        while asked and asked.status == 401 and asked.token.revoking:
            # A call that waits is its owner's, whatever the token.
            await caller.fresh()
            asked = await caller.ask("tools/call", params, own)
        if number and asked and asked.error().get("code") == PARAMS and caller.tally.was_ended(server, began - 1):
            caller.tally.error("a state of a server that was ended")
            return None, asked
        result = caller.judge(asked, "yes", server)
        if result is None or result.get("resultType") != "input_required":
            return result, asked
        caller.tally.counts["inputs required"] += 1
        given = {
            key: answer(each["method"], each.get("params", {})) for key, each in result["inputRequests"].items()
        }
        if state := result.get("requestState"):
            mine = caller.account.name, server, tool, arguments, own, state
            caller.tally.states = [*caller.tally.states[-20:], mine]
        if not stay:
            return None, asked
        params = params | {"inputResponses": given} | ({"requestState": state} if state else {})
    caller.violation("no end of questions", asked)
    return None, asked


# Lists.

# Who has which; what none of a caller's servers has is no method there.
OFFERED = {"tools": tuple(TAGS), "prompts": ("notes", "archive", *FIXTURES)}
OFFERED["resources"] = OFFERED["prompts"]
LISTS = {
    "tools/list": ("tools", "name", "tool"),
    "prompts/list": ("prompts", "name", "prompt"),
    "resources/list": ("resources", "uri", "resource"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate", "resource"),
}


async def lists(caller):
    method = caller.chance.choice([*LISTS, "tools/list"])
    found, complete = await walk(caller, method)
    caller.tally.counts["entries listed"] += len(found)
    if len(set(found)) != len(found):
        caller.tally.violation("an entry twice", f"{caller} {method}: {found}")
    alien = [name for name in found if not granted(caller, method, name)]
    if alien:
        caller.tally.violation("an entry outside the grant", f"{caller} {method}: {alien}")
    if LISTS[method][1] == "name" and complete:
        order = caller.setting.order[method]
        places = [order.index(full(caller, name)) for name in found if full(caller, name) in order]
        if places != sorted(places):
            caller.tally.violation("another order", f"{caller} {method}: {found}")


async def walk(caller, method, how=manners):
    """All pages: the names, and whether that is all."""
    found, params, key = [], {}, LISTS[method]
    for _ in range(50):
        asked = await caller.ask(method, params, **how(caller))
        if asked and asked.error().get("code") == METHOD and not any(
            server in OFFERED[method.split("/")[0]] for server in caller.servers()
        ):
            return found, True
        result = caller.judge(asked, "yes", caller.server)
        if result is None:
            return found, False
        found += [entry[key[1]] for entry in result[key[0]]]
        cursor = result.get("nextCursor")
        if cursor is None:
            return found, True
        caller.tally.counts["pages turned"] += 1
        caller.tally.cursors = [*caller.tally.cursors[-20:], (caller.account.name, caller.path, method, cursor)]
        params = {"cursor": cursor}
    caller.tally.violation("no end of pages", f"{caller} {method}")
    return found, False


def full(caller, name):
    return f"{caller.server}__{name}" if caller.server else name


def granted(caller, method, name):
    """Whether an entry is there and the caller's: said by the catalogue and the grants, not by the gateway."""
    kind = LISTS[method][2]
    if kind != "resource":
        server, _, bare = full(caller, name).partition("__")
        there = (server, method) in caller.setting.catalog and bare in caller.setting.catalog[server, method]
        return there and caller.account.may(server, kind, bare) == "yes" and server in caller.servers()
    if name.startswith("notes://"):
        # The private one is nobody's, listed or made of the template.
        begins = {"notes": "notes://note-", "archive": "notes://old-"}
        here = [begin for server, begin in begins.items() if server in caller.servers()]
        return any(name.startswith(begin) or method != "resources/list" for begin in here)
    return name.startswith("test://") and any(server in FIXTURES for server in caller.servers())


# What must be refused.


async def forbidden(caller):
    """Hidden, denied, unknown, beyond the token: all refused, always."""
    choices = [("notes", "delete_note", {"name": f"note-{caller.number}"})] if reach(caller, "notes") else []
    if caller.server:
        choices.append((caller.server, "nonsense", {}))
    else:
        beyond = [server for server in TAGS if server not in caller.account.servers()]
        tools = {"time": "now", "text": "sha256", "hidden": "sha256", "echo": "about"}
        tools |= dict.fromkeys(("notes", "archive"), "list_notes")
        choices += [(server, tools.get(server, "test_simple_text"), {}) for server in beyond]
        choices += [("nowhere", "nothing", {})]
    server, tool, arguments = caller.chance.choice(choices)
    expected = "no" if tool == "nonsense" else caller.account.may(server, "tool", tool)
    asked = await caller.ask("tools/call", {"name": caller.name(server, tool), "arguments": arguments})
    known = server in caller.servers()
    if known and asked and asked.error().get("message", "").startswith(f"server `{server}` "):
        # Who may reach a server is told that it is away, before what it has can be looked at.
        caller.tally.error(asked.error()["message"])
        return
    caller.judge(asked, expected)


async def private(caller):
    if reach(caller, "notes"):
        asked = await caller.ask("resources/read", {"uri": "notes://private"})
        if asked and asked.status != 401 and asked.result() is None:
            caller.tally.counts["forbidden, refused"] += 1
        elif asked and asked.result() is not None:
            caller.violation("a result for a forbidden call", asked)


async def elsewhere(caller):
    """A token is good at one endpoint alone."""
    path = "/mcp" if caller.server else "/mcp/time"
    asked = await caller.ask("tools/list", {}, token=Anywhere(caller.token), path=path)
    if asked and asked.status != 401:
        caller.violation("a token was good elsewhere", asked)


class Anywhere:
    """A token that is expected to be refused."""

    def __init__(self, token):
        self.account, self.text, self.revoking, self.revoked_at = token.account, token.text, True, None


async def strangers(caller):
    """What belongs to another: a session, a state, a cursor."""
    tally, chance = caller.tally, caller.chance
    if not caller.modern:
        theirs = [session for session, owner in tally.sessions.items() if owner != caller.owner()]
        if theirs:
            headers = {"Mcp-Session-Id": chance.choice(theirs)}
            asked = await caller.ask("tools/list", {}, headers=headers)
            refused(caller, asked, 404)
    theirs = [each for each in tally.cursors if each[0] != caller.account.name and each[1] == caller.path]
    if theirs:
        _, _, method, cursor = chance.choice(theirs)
        refused(caller, await caller.ask(method, {"cursor": cursor}), 200, 400)
    theirs = [each for each in tally.states if each[0] != caller.account.name and each[1] in caller.servers()]
    if theirs and caller.modern:
        _, server, tool, arguments, own, state = chance.choice(theirs)
        params = {"name": caller.name(server, tool), "arguments": arguments, "requestState": state}
        asked = await caller.ask("tools/call", params | {"inputResponses": {}}, ())
        refused(caller, asked, 200, 400)


def refused(caller, asked, *statuses):
    if asked is None or asked.status == 401:
        return
    if asked.result() is not None:
        caller.violation("what is another's was given", asked)
    elif asked.status not in statuses and asked.status != 404:
        caller.violation("refused in another way", asked)
    else:
        caller.tally.counts["another's, refused"] += 1
        caller.remember(asked, json.dumps(asked.id), None)


# The rest.


async def small(caller):
    """Ping, logging levels, discovery, completion."""
    tally, chance = caller.tally, caller.chance
    server = lone_fixture(caller)
    if caller.modern:
        asked = await caller.ask("server/discover", {})
        result = caller.judge(asked, "yes", caller.server)
        if result is not None and result.get("supportedVersions") != ["2026-07-28"]:
            caller.violation("not the answer to this", asked)
    else:
        caller.judge(await caller.ask("ping", {}), "yes")
        if caller.session:
            level = chance.choice(["debug", "warning", "error"])
            caller.judge(await caller.ask("logging/setLevel", {"level": level}), "yes")
    if server and caller.setting.offers("completion"):
        name = caller.name(server, "test_prompt_with_arguments")
        params = {"ref": {"type": "ref/prompt", "name": name}, "argument": {"name": "arg1", "value": "par"}}
        asked = await caller.ask("completion/complete", params)
        result = caller.judge(asked, "yes", server)
        if result is not None and result["completion"]["values"] != ["paris", "park", "party"]:
            caller.violation("not the answer to this", asked)
    tally.counts["small things"] += 1


async def trigger(caller):
    if server := reach(caller, *FIXTURES):
        tools = ["test_trigger_tool_change", "test_trigger_prompt_change", "test_trigger_resource_update"]
        await call(caller, server, caller.chance.choice([*tools, "test_end_subscriptions"]), {})


async def listen(caller):
    """Opens a stream beside the rest, unless there are some."""
    if len(caller.streams) < 2 and (caller.setting.offers("listen") if caller.modern else caller.session):
        server = lone_fixture(caller)
        if server and not caller.modern and caller.setting.offers("subscribe"):
            asked = await caller.ask("resources/subscribe", {"uri": WATCHED})
            if caller.judge(asked, "yes", server) is not None:
                caller.watched.add(WATCHED)
        if not caller.modern and not caller.session:
            return
        work = listened(caller) if caller.modern else got(caller, caller.session, caller.watched)
        task = asyncio.create_task(work)
        caller.streams.add(task)
        task.add_done_callback(caller.streams.discard)


async def got(caller, session, watched):
    """The stream of a session."""
    asked, exchange = await caller.about("GET", session=session)
    if exchange is None or not exchange.streams():
        # Somebody has the stream still, or the session is gone.
        if asked.status not in (401, 404, 409):
            caller.violation("no stream", asked)
        caller.tally.counts[f"streams refused with {asked.status}"] += 1
        return
    caller.tally.counts["streams"] += 1
    kinds = {"tools", "prompts", "resources"}

    def fits(message):
        method = message.get("method", "")
        if method == "notifications/resources/updated":
            return message["params"]["uri"] in watched
        return method in {f"notifications/{kind}/list_changed" for kind in kinds}

    await follow(caller, asked, exchange, fits)


async def listened(caller):
    """A subscription of the modern era: acknowledged first, of what was asked for and may be had alone."""
    fixture, chance = lone_fixture(caller), caller.chance
    lists = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"]
    wanted = {name: True for name in lists if chance.random() < 0.7}
    uris = ["notes://private", *([WATCHED] if fixture else [])]
    number = chance.choice([7, "7"])
    asked = Asked(number, "subscriptions/listen", caller.token, set(), agent=f"soak/{next(caller.tally.serials)}")
    params = {"notifications": wanted | {"resourceSubscriptions": uris}}
    headers, body = caller.request(asked, params, {})
    try:
        exchange = await (await caller.wire.send("POST", caller.path, headers, body)).head()
    except Lost as error:
        caller.violation("no whole answer", f"{asked} {error}")
        return
    asked.status = exchange.status
    if not exchange.streams():
        body = await exchange.whole()
        asked.message = json.loads(body) if body else None
        caller.timely(asked)
        caller.judge(asked, "yes", caller.server)
        return
    caller.remember(asked, json.dumps(number), "allow")
    caller.tally.counts["streams"] += 1
    kinds = {"toolsListChanged": "tools", "promptsListChanged": "prompts", "resourcesListChanged": "resources"}
    state = {"acknowledged": None}

    def fits(message):
        params = message.get("params", {}) if "method" in message else message.get("result", {})
        known = params.get("_meta", {}).get(META + "subscriptionId")
        if known != number or type(known) is not type(number):
            return False
        if state["acknowledged"] is None:
            given = state["acknowledged"] = params.get("notifications", {})
            uris = set(given.get("resourceSubscriptions", []))
            lists = {name for name in kinds if given.get(name)}
            right = message.get("method") == "notifications/subscriptions/acknowledged"
            return right and lists <= set(wanted) and uris <= ({WATCHED} if fixture else set())
        if "result" in message:
            return message.get("id") == number
        method = message["method"]
        if method == "notifications/resources/updated":
            return params["uri"] in state["acknowledged"].get("resourceSubscriptions", [])
        return method in {f"notifications/{kinds[name]}/list_changed" for name in wanted}

    await follow(caller, asked, exchange, fits)


async def follow(caller, asked, exchange, fits):
    """Reads a stream for a while, then leaves it; one whose token is revoked must end by itself."""
    loop = asyncio.get_running_loop()
    end = loop.time() + caller.chance.choice([0.3, 3, 20]) * caller.chance.random()

    async def read():
        async for message in exchange.messages():
            if message is None:
                caller.tally.heard["a sign of life"] += 1
                continue
            caller.foreign(asked, message)
            caller.tally.heard["over streams: " + message.get("method", "the end")] += 1
            if not fits(message):
                caller.violation("told what was not asked for", f"{asked} {message}")

    reading = asyncio.create_task(read())
    while not reading.done():
        await asyncio.wait([reading], timeout=0.5)
        revoked = asked.token.revoked_at
        if not reading.done() and revoked and loop.time() > revoked + 5:
            caller.violation("a stream outlived its token", asked)
            break
        if not asked.token.revoking and (loop.time() > end or caller.setting.stopping.is_set()):
            break
    if not reading.done():
        reading.cancel()
        exchange.cut()
    try:
        await reading
        caller.tally.counts["streams that ended by themselves"] += 1
    except asyncio.CancelledError:
        caller.tally.counts["streams left"] += 1
    except (Lost, ValueError) as error:
        caller.violation("a stream broke", f"{asked} {error}")


WORK = {
    echo: 30,
    together: 8,
    prompt: 6,
    read: 6,
    notes: 5,
    progress: 5,
    wait: 5,
    hang: 2,
    noise: 1,
    crash: 0.1,
    asks: 8,
    lists: 10,
    forbidden: 12,
    private: 2,
    elsewhere: 1,
    strangers: 4,
    small: 3,
    trigger: 2,
    listen: 5,
}


async def live(caller):
    """Does one thing after another until the soak is over."""
    chance, stopping = caller.chance, caller.setting.stopping
    choices, weights = list(WORK), list(WORK.values())
    while not stopping.is_set():
        await caller.fresh()
        if not caller.modern and not await caller.open():
            await asyncio.sleep(0.2)
            continue
        for _ in range(chance.randrange(5, 60)):
            if stopping.is_set() or (caller.sessions and not caller.modern and not caller.session):
                break
            # Some go on with a token that is dead, and are refused.
            if chance.random() < 0.5:
                await caller.fresh()
            await chance.choices(choices, weights)[0](caller)
            await asyncio.sleep(caller.setting.pace * chance.expovariate(1))
        if not stopping.is_set():
            await caller.leave()
        if not caller.streams and chance.random() < 0.2:
            caller.wire.close()
    for task in list(caller.streams):
        await task
    caller.wire.close()
