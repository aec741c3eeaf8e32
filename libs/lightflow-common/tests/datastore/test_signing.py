import pytest

from lightflow.core.errors import ConfigFieldError, PayloadForged
from lightflow.runtime.signing import Signer, read_key, write_key


def test_a_signature_holds_for_its_bytes_and_its_context_only():
    signer = Signer(b"k" * 32)
    signature = signer.sign(b"data", "a result")
    signer.verify(b"data", "a result", signature)
    for data, context in ((b"other", "a result"), (b"data", "another result"), (b" resultdata", "a")):
        with pytest.raises(PayloadForged):
            signer.verify(data, context, signature)


@pytest.mark.parametrize("signature", [None, b"", "text", b"x" * 32])
def test_what_is_no_signature_is_refused_and_named(signature):
    with pytest.raises(PayloadForged, match="a result"):
        Signer(b"k" * 32).verify(b"data", "a result", signature)


def test_a_key_is_made_once_and_is_private(tmp_path):
    file = tmp_path / "stack" / "key"
    write_key(file)
    key = read_key(file)
    write_key(file)
    assert read_key(file) == key
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_missing_or_too_short_is_refused_by_the_name_of_its_setting(tmp_path):
    with pytest.raises(ConfigFieldError, match="signing_key_file"):
        read_key(tmp_path / "none")
    (tmp_path / "short").write_text("abc")
    with pytest.raises(ConfigFieldError, match="at least 32"):
        read_key(tmp_path / "short")


def test_a_key_that_others_may_read_is_warned_of(tmp_path, caplog):
    file = tmp_path / "key"
    file.write_text("k" * 32)
    file.chmod(0o644)
    read_key(file)
    assert "chmod 600" in caplog.text
