from benchmarks.zoo_coverage import analysed, differs, misses_published, rows_of


def test_a_row_agrees_with_torchs_own_count() -> None:
    row = {key: str(value) for key, value in analysed("googlenet").items()} | {"error": ""}
    assert row["macs"] == row["torch_macs"] == "1582671872"
    assert not differs(row)
    assert not misses_published({**row, "published_macs": ""})
    assert misses_published({**row, "published_macs": "1.6e9"})


def test_a_training_step_of_grouped_convolutions_agrees_with_torchs_count() -> None:
    row = {k: str(v) for k, v in analysed("timm:mobilenetv2_035", "training").items()}
    assert int(row["backward_macs"]) > int(row["macs"])
    assert not differs(row)
    assert differs({**row, "backward_macs": "0"})


def test_a_worker_that_fails_or_dies_leaves_the_others_their_turn() -> None:
    rows = list(rows_of(["inception-naive", "no-such-model", "nin"], seconds=60, gibibytes=8))
    assert [row["reference"] for row in rows] == ["inception-naive", "no-such-model", "nin"]
    assert "UnknownName" in rows[1]["error"]
    assert rows[2]["macs"] == 1_100_188_800


def test_a_model_over_the_time_limit_is_ended(tmp_path) -> None:
    file = tmp_path / "slow.py"
    file.write_text("import time\n\ntime.sleep(60)\n")
    slow, fast = rows_of([f"{file}:net", "inception-naive"], seconds=4, gibibytes=8)
    assert slow["error"] == "over 4 s"
    assert fast["macs"] == 854_196_224
