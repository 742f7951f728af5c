"""Who is who: labels by one rule for members and others, which sees neither their labels nor any model."""

from dataclasses import replace

import numpy as np

from mintmark.privacy.parties import Parties, labelled_by_neighbours


def test_all_under_attack_get_the_class_of_their_neighbours_among_the_attacker_s_own(digits):
    rows = np.random.default_rng(0).permutation(len(digits))
    members, others, reference, bystanders = (digits.take(part) for part in np.split(rows[:900], [200, 400, 800]))
    hidden = replace(members, codes=np.where(np.arange(200) < 30, members.codes, -1))
    parties = Parties(members=hidden, non_members=others, reference=reference, bystanders=bystanders)
    found = labelled_by_neighbours(parties)
    assert (found.members.codes == members.codes).mean() > 0.9
    assert (found.non_members.codes == others.codes).mean() > 0.9
    assert found.reference is reference
    wrong = replace(parties, members=replace(members, codes=(members.codes + 1) % 10))
    assert np.array_equal(labelled_by_neighbours(wrong).members.codes, found.members.codes)
