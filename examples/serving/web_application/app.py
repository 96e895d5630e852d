from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI()


class Question(BaseModel):
    text: str


@app.post("/sentiment")
async def sentiment(question: Question) -> dict:
    if not question.text:
        raise HTTPException(422, "There is no text.")
    return {"positive": "good" in question.text.lower()}
