"""E-mail: a plain letter with what failed, through a mail server that is who it says it is."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from fairway.cluster.api.identity.certificates import ensure, server_context
from fairway.pipelines.notices.sending import BACK_OFF
from fairway.pipelines.render import folders
from fairway.pipelines.tables import tasks
from tests.pipelines.notices.conftest import Start, World
from tests.pipelines.notices.receiver import MailServer, mailing
from tests.pipelines.world import URL

PLAIN = {"smtp_host": "127.0.0.1", "smtp_security": "none", "smtp_from": "fairway@example.com"}
TO = {"to": ["team@example.com"]}


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mailing(MailServer()) as server:
        yield server


@pytest.fixture
async def world(start: Start, mail: MailServer) -> World:
    return await start(**PLAIN, smtp_port=mail.port)


async def failed_step(world: World, run: str, name: str, log: str, at: float, message: str = "it broke") -> None:
    folder = world.context.artifacts.address("runs", run, name)
    await world.context.artifacts.put(f"{folder}/{folders.LOG}", log.encode())

    def write(connection: Connection) -> None:
        step = {"id": f"{run}-{name}", "run_id": run, "type": "RUNTIME", "state": "FAILED", "name": name}
        more = {"created_at": at, "finished_at": at, "scope_path": name, "pod_name": f"pod-{name}", "folder": folder}
        connection.execute(tasks.insert().values(**step, **more, error_message=message, inputs={}, outputs={}))

    await world.context.records.write(write)


async def test_a_failure_with_its_first_step_and_the_end_of_its_log(world: World, mail: MailServer) -> None:
    await world.rule(email=TO)
    run = await world.run()
    await failed_step(world, run, "later", "something else\n", world.clock.now() + 9)
    await failed_step(world, run, "train", "".join(f"line {number}\n" for number in range(100)), world.clock.now())
    await world.end(run, "FAILED", message="train: it broke")
    await world.tell()
    (letter,) = mail.letters
    assert (letter["Subject"], letter["From"], letter["To"]) == (
        "[Fairway] FAILED: upstream",
        "fairway@example.com",
        "team@example.com",
    )
    assert letter.get_content_type() == "text/plain"
    log = "\n".join(f"  line {number}" for number in range(80, 100))
    assert letter.get_content().replace("\r\n", "\n") == (
        'The run "upstream" failed: train: it broke\n\n'
        f"Run:       {run}\nPipeline:  upstream\nNamespace: default\n"
        "Started:   2023-11-14T22:13:20Z\nEnded:     2023-11-14T22:13:20Z\n\n"
        "The first step that failed: train\nit broke\n\n"
        f"The end of its log:\n{log}\n\n"
        f"{URL}/#/runs/details/{run}\n"
    )


async def test_other_events_have_no_log(world: World, mail: MailServer) -> None:
    await world.rule("SUCCEEDED", "LATE", email=TO)
    run = await world.run()
    await world.late(run, world.clock.now())
    await world.end(run)
    await world.tell()
    assert {letter["Subject"] for letter in mail.letters} == {
        "[Fairway] LATE: upstream",
        "[Fairway] SUCCEEDED: upstream",
    }
    assert not any("log" in letter.get_content() for letter in mail.letters)


async def test_a_failure_without_a_step_or_a_log_is_told_all_the_same(world: World, mail: MailServer) -> None:
    await world.rule(email=TO)
    run = await world.run()
    await world.end(run, "FAILED", message="the pipeline cannot be run")
    await world.tell()
    assert "the pipeline cannot be run" in mail.letters[0].get_content()


async def test_a_name_makes_no_header_and_no_line_of_its_own(world: World, mail: MailServer) -> None:
    await world.rule(email=TO)
    run = await world.run("upstream")
    name = "Grüße\r\nBcc: everybody@example.com"
    await world.context.records.write(
        lambda c: c.exec_driver_sql("UPDATE runs SET display_name = ? WHERE id = ?", (name, run))
    )
    await world.end(run, "FAILED", message="no\r\n.\r\nQUIT")
    await world.tell()
    (letter,) = mail.letters
    assert letter["Subject"] == "[Fairway] FAILED: Grüße Bcc: everybody@example.com"
    assert letter["Bcc"] is None
    assert mail.recipients == [["team@example.com"]]
    assert "QUIT" in letter.get_content()


async def test_who_is_refused_is_remarked_and_the_others_are_told_once(world: World, mail: MailServer) -> None:
    mail.refuses = {"gone@example.com"}
    some = await world.rule(email={"to": ["gone@example.com", "team@example.com"]})
    all_ = await world.rule(email={"to": ["gone@example.com"]})
    await world.end(await world.run(), "FAILED")
    for _ in range(2):
        await world.tell()
        await world.clock.advance(BACK_OFF[0])
    (delivery,) = await world.deliveries(some)
    assert (delivery["state"], delivery["error_message"]) == ("DELIVERED", "not taken for gone@example.com")
    assert mail.recipients == [["team@example.com"]]
    (delivery,) = await world.deliveries(all_)
    assert (delivery["state"], delivery["attempts"]) == ("FAILED", 1)
    assert delivery["error_message"] == "127.0.0.1 takes no letters for gone@example.com"


async def test_a_mail_server_that_is_busy_is_asked_again(world: World, mail: MailServer) -> None:
    mail.answers = "451 later"
    rule = await world.rule(email=TO)
    await world.end(await world.run(), "FAILED")
    await world.tell()
    assert (await world.deliveries(rule))[0]["error_message"] == "127.0.0.1 answered 451 later"
    mail.answers = "250 taken"
    await world.pass_(BACK_OFF[0])
    assert len(mail.letters) == 1


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A certificate of an authority that this process trusts."""
    made = ensure(tmp_path / "pki", hosts=("localhost", "127.0.0.1"))
    (tmp_path / "ca.pem").write_text(made.ca_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return server_context(made)


async def test_letters_are_encrypted_and_the_password_comes_from_its_file(
    start: Start, trusted: Any, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("opensesame\n")
    async with mailing(MailServer(tls=trusted, users={"fairway": "opensesame"})) as server:
        login = {"smtp_user": "fairway", "smtp_password_file": str(password)}
        world = await start(**{**PLAIN, **login, "smtp_security": "starttls", "smtp_port": server.port})
        rule = await world.rule(email=TO)
        assert (await world.call("POST", f"notices/{rule['notice_id']}:test"))["state"] == "DELIVERED"
        assert server.encrypted == [True]
        password.write_text("wrong")
        failed = await world.call("POST", f"notices/{rule['notice_id']}:test")
        assert (failed["state"], "does not accept smtp_user" in failed["error"]["message"]) == ("FAILED", True)
        assert "wrong" not in failed["error"]["message"]


async def test_a_mail_server_that_nobody_vouches_for_gets_nothing(start: Start, tmp_path: Path) -> None:
    made = ensure(tmp_path / "pki", hosts=("localhost", "127.0.0.1"))
    async with mailing(MailServer(tls=server_context(made))) as server:
        world = await start(**{**PLAIN, "smtp_security": "starttls", "smtp_port": server.port})
        rule = await world.rule(email=TO)
        failed = await world.call("POST", f"notices/{rule['notice_id']}:test")
        assert (failed["state"], server.letters) == ("FAILED", [])
        assert "certificate" in failed["error"]["message"]


async def test_a_mail_server_without_encryption_is_not_put_up_with(start: Start, mail: MailServer) -> None:
    world = await start(**{**PLAIN, "smtp_security": "starttls", "smtp_port": mail.port})
    rule = await world.rule(email=TO)
    failed = await world.call("POST", f"notices/{rule['notice_id']}:test")
    assert (failed["state"], mail.letters) == ("FAILED", [])


async def test_without_a_mail_server_no_such_notice_is_made(start: Start) -> None:
    world = await start()
    status, refused = await world.ask("POST", "notices", {"display_name": "x", "events": ["FAILED"], "email": TO})
    assert (status, "set smtp_host and smtp_from" in refused["message"]) == (400, True)
