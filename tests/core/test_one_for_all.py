"""Of those who want to know the same at the same time, one asks."""

import asyncio

import pytest

from perdure.core.one_for_all import OneForAll


class Source:
    def __init__(self):
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def ask(self):
        self.asked += 1
        await self.may_answer.wait()
        if self.asked == 2:
            raise ValueError("the second time")
        return self.asked


async def test_one_asks_for_all_who_wait_and_the_next_one_anew():
    source, questions = Source(), OneForAll()
    waiting = [asyncio.create_task(questions.answer("this", source.ask)) for _ in range(5)]
    given_up = waiting.pop()
    await asyncio.sleep(0)
    given_up.cancel()
    source.may_answer.set()
    assert await asyncio.gather(*waiting) == [1, 1, 1, 1]
    again = await asyncio.gather(*(questions.answer("this", source.ask) for _ in range(3)), return_exceptions=True)
    assert [str(one) for one in again] == ["the second time"] * 3
    assert await questions.answer("this", source.ask) == 3


async def test_other_questions_are_asked_by_themselves():
    source, questions = Source(), OneForAll()
    source.may_answer.set()
    with pytest.raises(ValueError, match="second"):
        await asyncio.gather(questions.answer("this", source.ask), questions.answer("that", source.ask))
    assert source.asked == 2
