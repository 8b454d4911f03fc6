package ledger

// Made once with keys that nobody has.
const (
	goldenKeys = `gateway.example/audit+d0239fe1+/2xpY2dhdGUuc20yLXNtMy52MQoENfQuNzBJYX8fRU/LjxuSg/QdfPCr3103sWNRztHha73Z+VH5+BxzN5vVwdUvKKR5sRBnnrFefrHK6XTwacBLcQ==
gateway.example/audit+0286e02a+ARplZ+38sjUH0UchxLZQjKXAX6i46/oYvJQqA0MWeFjU
witness.example+fedeb85b+/2xpY2dhdGUuc20yLXNtMy5jb3NpZ25hdHVyZS52MQoEJC0J8s8IxPEbcFcmM6EH2d1jfIVo53lcIaQ98RCsQm7rEXHPkGNePFn0GP1DgpV9CQ8dProSL2FJbwOR9DFeCg==
witness.example+0c59e109+BNAOx57gjW94Ljh7V4HUFAy0PUb5ODA8R88KRIFc8PvT
`
	goldenNote = `gateway.example/audit
42
KKyU5eXHf2IwMqAnhXFppcVnfn/o7bg7lioDSjbjXHw=
time 2026-11-24T03:13:07Z

— gateway.example/audit 0COf4TBEAiAnvqDGmxYcuZIml4aNcXcmnLjHnHf1xKSvA091oGrUwwIgBMeGQhLsHfrxvQP+L1Zun3diWVYtCrL/GB/iE4+F4rc=
— gateway.example/audit AobgKuayxIJ3E0W6aRW2yOyUoi8qH9ENE++iXCeK3v44msRGaAdVy3TbAX314aAU4YMXUxVFhEfs7ZD/kEHXk21GKAI=
— witness.example /t64WwAAAABrBQDDMEUCIBUuheuv4WNewD5/S5xHsxpK7J+XeEAlnc/vCRvvewKAAiEA4wPW9q7Xi+oC99s1EULxU5usHcCJiuny/VeQ36DiLPE=
— witness.example DFnhCQAAAABrBQDD0LUT/hBQ9BeAHfxxv5im5aBuUfM0dazGf/brZYSPsISpF2ag9i3WVFIIISQjCSWBX7QlujjvtgO2C7I32q27Bg==
`
)
