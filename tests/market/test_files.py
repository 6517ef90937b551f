import datetime as dt
import io
import zipfile
from pathlib import Path

import pytest

from market.db import Session
from market.errors import NotAllowed, NotFound, SignInRequired, WrongState
from market.files import queries, rules
from market.files.models import Visibility
from market.files.store import DiskStore
from market.listings import attachments, service
from market.listings.models import Result
from market.listings.service import RESULT
from market.permissions import VISITOR, Actor, Role
from tests.market.test_results import given, person
from tests.matching.rows import Rows

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 "
EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff"


def packed(**entries: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in entries.items():
            archive.writestr(name.replace("__", "/").replace("_TYPES", "[Content_Types].xml"), text)
    return buffer.getvalue()


def office(part: str, **more: str) -> bytes:
    return packed(**{"_TYPES": "<Types/>", part: "<x/>", **more})


def document(kind: str) -> bytes:
    return packed(mimetype=f"application/vnd.oasis.opendocument.{kind}")


class TestWhatIsTaken:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.pdf", PDF),
            ("a.PNG", PNG),
            ("a.jpg", JPEG),
            ("a.jpeg", JPEG),
            ("a.webp", WEBP),
            ("a.docx", office("word/document.xml")),
            ("a.xlsx", office("xl/workbook.xml")),
            ("a.pptx", office("ppt/presentation.xml")),
            ("a.odt", document("text")),
            ("a.ods", document("spreadsheet")),
            ("a.odp", document("presentation")),
        ],
    )
    def test_taken(self, name: str, content: bytes) -> None:
        assert rules.check(name, content) == rules.TYPES[name.rpartition(".")[2].lower()]

    @pytest.mark.parametrize(
        ("name", "content", "refusal"),
        [
            ("a.pdf", b"", rules.FileEmpty),
            ("report.pdf", EXE, rules.FileTypeRefused),
            ("a.exe", EXE, rules.FileTypeRefused),
            ("a.exe", PDF, rules.FileTypeDiffers),
            ("a.png", PDF, rules.FileTypeDiffers),
            ("pdf", PDF, rules.FileTypeDiffers),
            ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", rules.FileTypeRefused),
            ("a.html", b"<!doctype html><script>1</script>", rules.FileTypeRefused),
            ("a.pdf", b"<html>%PDF-1.7", rules.FileTypeRefused),
            ("a.gif", b"GIF89a\x01\x00\x01\x00", rules.FileTypeRefused),
            ("a.zip", packed(**{"a.txt": "x"}), rules.FileTypeRefused),
            ("a.docx", packed(**{"a.txt": "x"}), rules.FileTypeRefused),
            ("a.docx", b"PK\x03\x04 broken", rules.FileTypeRefused),
            ("a.docx", office("xl/workbook.xml"), rules.FileTypeDiffers),
            ("a.docx", office("word/document.xml", **{"word/vbaProject.bin": "x"}), rules.FileHasMacros),
            ("a.odt", packed(mimetype="application/x-evil"), rules.FileTypeRefused),
            ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, rules.FileTypeRefused),
        ],
    )
    def test_refused(self, name: str, content: bytes, refusal: type[Exception]) -> None:
        with pytest.raises(refusal) as refused:
            rules.check(name, content)
        assert type(refused.value) is refusal

    def test_too_large(self) -> None:
        with pytest.raises(rules.FileTooLarge) as refused:
            rules.check("a.pdf", PDF + bytes(2**20), limit=2**20)
        assert refused.value.params == {"limit_mb": 1}

    @pytest.mark.parametrize(
        ("name", "clean"),
        [
            ("../../etc/passwd.pdf", "passwd.pdf"),
            ("..\\..\\检测 报告.pdf", "检测 报告.pdf"),
            ("C:\\a\\b.pdf", "b.pdf"),
            ("a\x00\n\u202efdp.exe.pdf", "afdp.exe.pdf"),
            ('<a>:"b"|?*.pdf', "ab.pdf"),
            ("..", ""),
            ("字" * 300 + ".pdf", "字" * 116 + ".pdf"),
        ],
    )
    def test_names(self, name: str, clean: str) -> None:
        assert rules.clean_name(name) == clean


class TestOfAListing:
    @pytest.fixture
    def rows(self, session: Session) -> Rows:
        return Rows(session)

    @pytest.fixture
    def store(self, tmp_path: Path) -> DiskStore:
        return DiskStore(tmp_path / "files")

    @pytest.fixture
    def officer(self, session: Session, rows: Rows) -> Actor:
        return person(session, rows, Role.RESULTS_OFFICER, rows.university)

    @pytest.fixture
    def draft(self, session: Session, rows: Rows, officer: Actor, now: dt.datetime) -> int:
        assert rows.university.id is not None
        row = service.create_result(session, officer, now, rows.university.id, given())
        assert row.id is not None
        return row.id

    def attach(
        self, session: Session, actor: Actor, now: dt.datetime, store: DiskStore, result: int, who: Visibility
    ) -> int:
        row = attachments.attach(
            session, actor, now, store, RESULT, Result, result,
            name="报告.pdf", content=PDF + who.value.encode(), visibility=who,
        )  # fmt: skip
        assert row.id is not None
        return row.id

    def test_who_may_open_what(
        self, session: Session, rows: Rows, officer: Actor, now: dt.datetime, store: DiskStore, draft: int
    ) -> None:
        ids = {who: self.attach(session, officer, now, store, draft, who) for who in Visibility}

        def seen(actor: Actor) -> set[Visibility]:
            return {
                who
                for who, number in ids.items()
                if attachments.may_open(session, actor, RESULT, Result, queries.one(session, number))
            }

        assert seen(officer) == set(Visibility)
        assert seen(VISITOR) == set()
        service.publish_result(session, officer, now, draft)
        buyer = person(session, rows, Role.DEMAND_OWNER, rows.firm)
        assert seen(VISITOR) == seen(buyer) == {Visibility.PUBLIC}
        from market.enquiries.models import Enquiry

        session.add(
            Enquiry(
                subject_kind="result",
                subject_id=draft,
                from_person_id=buyer.person_id,
                to_organisation_id=rows.university.id,
                created_at=now,
                updated_at=now,
            )
        )
        session.flush()
        assert seen(buyer) == {Visibility.PUBLIC, Visibility.PARTIES}

    def test_who_may_attach(
        self, session: Session, rows: Rows, officer: Actor, now: dt.datetime, store: DiskStore, draft: int
    ) -> None:
        buyer = person(session, rows, Role.DEMAND_OWNER, rows.firm)
        with pytest.raises(NotFound):
            self.attach(session, buyer, now, store, draft, Visibility.PUBLIC)
        service.publish_result(session, officer, now, draft)
        with pytest.raises(NotAllowed):
            self.attach(session, buyer, now, store, draft, Visibility.PUBLIC)
        with pytest.raises(SignInRequired):
            self.attach(session, VISITOR, now, store, draft, Visibility.PUBLIC)
        service.conclude_result(session, officer, now, draft)
        with pytest.raises(WrongState):
            self.attach(session, officer, now, store, draft, Visibility.PUBLIC)

    def test_equal_bytes_are_one_attachment_until_removed(
        self, session: Session, officer: Actor, now: dt.datetime, store: DiskStore, draft: int
    ) -> None:
        first = self.attach(session, officer, now, store, draft, Visibility.PUBLIC)
        assert self.attach(session, officer, now, store, draft, Visibility.PUBLIC) == first
        file = queries.one(session, first)
        assert store.open(file.sha256).read() == PDF + b"public"
        attachments.remove(session, officer, now, RESULT, Result, file)
        with pytest.raises(NotFound):
            queries.one(session, first)
        assert self.attach(session, officer, now, store, draft, Visibility.PUBLIC) != first

    def test_a_bounded_number(
        self,
        session: Session,
        officer: Actor,
        now: dt.datetime,
        store: DiskStore,
        draft: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(rules, "MAX_FILES", 1)
        self.attach(session, officer, now, store, draft, Visibility.PUBLIC)
        with pytest.raises(rules.TooManyFiles):
            self.attach(session, officer, now, store, draft, Visibility.PRIVATE)
