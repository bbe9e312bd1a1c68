from perdure.models.lifecycle import BECOMES_DUE, FINAL, TRANSITIONS, WAITING, JobStatus


def test_every_state_is_live_or_final():
    assert {*WAITING, JobStatus.RUNNING} | FINAL == set(JobStatus)
    assert not WAITING & FINAL


def test_only_a_new_run_leads_out_of_a_final_state():
    assert {after for before, after in TRANSITIONS if before in FINAL} == {JobStatus.QUEUED}


def test_every_state_can_be_left_and_reached():
    moves = set(TRANSITIONS) | {(before, JobStatus.QUEUED) for before in BECOMES_DUE}
    assert {before for before, _ in moves} == set(JobStatus)
    assert {after for _, after in moves} == set(JobStatus)


def test_from_every_state_a_final_one_can_be_reached():
    moves = set(TRANSITIONS) | {(before, JobStatus.QUEUED) for before in BECOMES_DUE}
    reaches_final = set(FINAL)
    for _ in JobStatus:
        reaches_final |= {before for before, after in moves if after in reaches_final}
    assert reaches_final == set(JobStatus)
