"""The ready domains in English."""

from __future__ import annotations

from kshot.methods.explore.records import Item

DOMAINS = {
    "brainstorming": (
        "brainstorming",
        "Coming up with many different ideas on a given question: names, plans, uses, causes, questions, "
        "solutions, stories to tell. A good answer gives several ideas that are distinct, concrete, useful.",
        (
            Item(
                "Suggest five ways for a small library to bring teenagers in after school.",
                "",
                "1. A table for board games every Wednesday, run by the teenagers themselves.\n"
                "2. A recording corner where they can make a podcast about books or sport.\n"
                "3. Homework hours with a tutor and free tea.\n"
                "4. A wall on which every reader pins a one-line verdict on a book.\n"
                "5. A repair evening for bicycles and headphones, with the manuals at hand.",
            ),
            Item(
                "Find three names for the product described below.",
                "A folding lamp for cyclists that also charges a phone.",
                "Spokelight, Foldbeam, Pocket Dynamo",
            ),
            Item(
                "Why might the sales of the café below have fallen? Give possible causes to look into.",
                "The café is near a university. Sales fell by a third in summer; the prices are the same.",
                "- Students are away during the summer.\n"
                "- A competitor may have opened near by.\n"
                "- Hot weather moves guests from coffee to cold drinks, which the café may not offer.\n"
                "- Roadworks may keep passers-by away.",
            ),
        ),
    ),
    "rewriting": (
        "rewriting",
        "Changing a text that is given, while what it says stays: its style, length, order, grammar, "
        "clarity, reader or form. A good answer follows the wish exactly and adds no facts.",
        (
            Item(
                "Make this message polite enough for a customer.",
                "You sent the wrong form. Send the right one by Friday or we stop.",
                "Thank you for your form. It seems that another version was enclosed by mistake. Could you "
                "please send us the right one by Friday, so that we can go on without delay?",
            ),
            Item(
                "Shorten the paragraph to one sentence.",
                "The bridge was closed on Monday because inspectors had found rust on two of its cables. It "
                "will stay closed until both have been replaced, which is expected to take three weeks.",
                "The bridge is closed for about three weeks while two rusty cables are replaced.",
            ),
            Item(
                "Correct the mistakes in the sentence.",
                "Neither of the boys have did their homework yesterday.",
                "Neither of the boys did his homework yesterday.",
            ),
        ),
    ),
    "mathematics": (
        "mathematics",
        "Problems that are solved by calculating or by proof: arithmetic, algebra, geometry, counting, "
        "probability, number theory, functions and their use in everyday questions. A good answer shows its "
        "steps and ends with the result.",
        (
            Item(
                "Solve the equation for x.",
                "3(x - 2) = 2x + 5",
                "3x - 6 = 2x + 5, so x = 11.",
            ),
            Item(
                "A box holds 4 red and 6 blue marbles. Two are drawn without putting the first one back. How "
                "likely are both red?",
                "",
                "The first is red with chance 4/10, then the second with chance 3/9. Together that is "
                "4/10 * 3/9 = 12/90 = 2/15.",
            ),
            Item(
                "Show that the sum of two odd numbers is even.",
                "",
                "Let the numbers be 2a + 1 and 2b + 1 with whole numbers a and b. Their sum is "
                "2a + 2b + 2 = 2(a + b + 1), which is twice a whole number, so it is even.",
            ),
        ),
    ),
}
