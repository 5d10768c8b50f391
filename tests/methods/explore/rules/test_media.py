"""Instructions that need more than text, and those that only sound like it."""

import time

import pytest

from kshot.methods.explore.rules import needs_other_media

TEXT_ALONE = """
Suggest ten names for a music festival.
Draw a conclusion from the following facts.
Draw a clear comparison between the two novels.
Discuss the image of the hero in this poem.
Draw the reader into the story with a strong first sentence.
Paint a vivid picture of village life in three sentences.
Write a script for a short video about recycling.
Rewrite the following video script in a formal tone.
Suggest a title for the following picture book.
Create a video game plot about a lost city.
Write the lyrics of a song about rain.
Explain how to search the internet safely.
Write an essay on how people browse the web today.
Describe how a photograph is developed in a darkroom.
List five file formats and say what each is for.
Write a Python program that opens a file and counts its lines.
Summarize the document below in two sentences.
Read the following passage and answer the question.
Explain the difference between audio and video codecs.
Draw up a plan for a small garden.
Draw on your knowledge of history to explain this proverb.
Rewrite the sentence: "Look at the picture on the wall."
Translate "Please download the file" into French.
Correct the spelling: "Look up. Draw a cat with a hat. What is shown in the picture?"
Write an e-mail that asks a colleague to open the attached link.
Create a positive image of the company in one paragraph.
Come up with ideas for a photo exhibition.
Write a product description for a video camera.
Sketch a plan for a three-day trip to Rome.
Record keeping matters: list three reasons why.
Play the role of an interviewer and ask five questions.
Create a title for a painting of the sea.
Find the area of a figure with sides 3 and 4.
Describe a painting by Monet in your own words.
What does the map on the wall stand for in the novel?
Write a caption about friendship.
Compose a haiku about the sound of rain.
Create a table of the planets and their moons.
Generate a list of websites about cooking.
Watch your tone: rewrite this complaint politely.
Draw attention to the main problem in one sentence.
Simplify the sentence about the recording studio.
Design a game that teaches children to count.
Describe an image that could go with this headline.
Explain what the phrase "a picture is worth a thousand words" means.
Turn the following notes about a film into a short review.
Visit is a noun and a verb: write a sentence with each.
Take a stand on school uniforms and defend it.
为一个音乐节起五个名字。
根据以上事实得出结论。
描述这首诗中月亮的意象。
写一篇关于绘画历史的短文。
把下面的视频脚本改写得更正式。
为一段介绍茶文化的视频写文案。
介绍如何在网上安全地搜索资料。
写一首歌的歌词，主题是故乡。
解释成语“画蛇添足”的意思。
用文字描绘一幅秋天的画面。
说明图像识别的基本原理。
列出三个提高录音质量的建议。
为一个照片展想一个标题。
写一篇关于上网利弊的议论文。
把“请下载附件”翻译成英文。
把“来吧。画一只猫。描述下面的图片。”翻译成英文。
设计一个适合儿童的数学游戏。
讨论电影音乐的作用。
总结下面这段文字。
""".strip().splitlines()

NEEDS_MORE = """
Describe the attached photo.
What is shown in the image?
Write a caption for the following picture.
Describe this image in detail.
Look at the picture and count the apples.
Listen to the audio and write down the words.
Transcribe the recording.
Draw a cat with a hat.
Please draw a picture of your house.
Sketch a portrait of your best friend.
Create an image of a sunset over the sea.
Design a logo for a coffee shop.
Make a short video about your town.
Generate a realistic photo of a dragon.
Record a short message for your grandmother.
Sing a song about winter.
Play the song again.
Summarize the attached document.
Use the uploaded file to answer the question.
Open the file and correct the mistakes.
Download the spreadsheet and sort it.
Search the web for the newest phones.
Visit the website and write a review.
Click the link and tell me what you see.
Summarize the article at https://example.org/news/17.
Watch the video and list its main points.
Based on the graph below, describe the trend.
Can you draw a map of an island?
Take a picture of your lunch and describe it.
Google the height of the tower.
Summarize the page behind the following link.
Create a PowerPoint about volcanoes.
请画一只猫。
画一张城市的地图。
描述下面的图片。
根据这张照片写一个故事。
看图写话。
请听录音并回答问题。
设计一个公司的标志。
生成一张海边日落的图片。
制作一段介绍家乡的视频。
唱一首关于冬天的歌。
总结附件中的内容。
打开文件并改正错误。
在网上搜索最新的手机。
请点击以下链接并总结内容。
绘制一张流程图。
观看视频后写出要点。
请拍一张午餐的照片。
""".strip().splitlines()


@pytest.mark.parametrize("instruction", TEXT_ALONE)
def test_what_text_alone_can_do_passes(instruction: str) -> None:
    assert not needs_other_media(instruction)


@pytest.mark.parametrize("instruction", NEEDS_MORE)
def test_what_needs_more_than_text_is_seen(instruction: str) -> None:
    assert needs_other_media(instruction)


def test_case_and_courtesies_do_not_matter() -> None:
    assert needs_other_media("PLEASE DRAW A CAT")
    assert needs_other_media("Write a poem. Then, please, draw a cat.")


@pytest.mark.parametrize("piece", ["draw a ", "the the ", "画一张", "“", '"', "image of ", "create a ", "$"])
def test_long_texts_take_no_long_time(piece: str) -> None:
    start = time.perf_counter()
    needs_other_media(piece * (20_000 // len(piece)))
    assert time.perf_counter() - start < 1.0
